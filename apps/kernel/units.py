"""Types of record and the units their usage is counted in."""

from __future__ import annotations

import re
from enum import StrEnum

from apps.kernel.errors import InvalidInput

MONTHS_PER_YEAR = 12
SECONDS_PER_DAY = 86_400


class TypeOfRecord(StrEnum):
    """What a usage figure counts (CGRateS ``ToR``): seconds, octets, messages, or anything else."""

    VOICE = "voice"
    DATA = "data"
    SMS = "sms"
    GENERIC = "generic"


_DURATION_PART = re.compile(r"(\d+)(h|m|s)", re.ASCII)
_SECONDS_PER = {"h": 3600, "m": 60, "s": 1}


def parse_usage_units(text: str) -> int:
    """A usage figure of a tariff file in seconds, octets or events: ``60``, ``60s``, ``1m``, ``1h30m``.

    A plain number is taken as it is. Raises InvalidInput for anything else.
    """
    text = text.strip()
    if text.isascii() and text.isdigit():
        return int(text)
    parts = _DURATION_PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise InvalidInput(f"“{text}” is not a number of units; write it like 60, 60s or 1m30s")
    return sum(int(number) * _SECONDS_PER[unit] for number, unit in parts)
