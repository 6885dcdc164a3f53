"""Types of record and the units their usage is counted in."""

from __future__ import annotations

import re
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache

from apps.kernel.errors import InvalidInput

SECONDS_PER_DAY = 86_400
NANO = 10**9
"""Nanoseconds in a second, for usage and rates that are finer than it."""


class TypeOfRecord(StrEnum):
    """Types of record (CGRateS ``ToR``) that the platform knows; operators add others as they like.

    Voice counts seconds and moves with the clock, data counts octets. All others count messages or events.
    """

    VOICE = "voice"
    DATA = "data"
    SMS = "sms"
    MMS = "mms"
    GENERIC = "generic"


VOICE_NS = "voice:ns"
"""Voice whose amount and position count nanoseconds, for usage that is finer than a second. The “:” keeps it from
being the name of a type of record."""
CALLS = (TypeOfRecord.VOICE.value, VOICE_NS)
"""What moves with the clock, in either unit."""
MAX_TYPE_OF_RECORD = 32
_TYPE_NAME = re.compile(rf"[a-z0-9][a-z0-9_.-]{{0,{MAX_TYPE_OF_RECORD - 1}}}", re.ASCII)
_UNITS: dict[str, str] = {
    TypeOfRecord.VOICE: "seconds",
    TypeOfRecord.DATA: "octets",
    TypeOfRecord.SMS: "messages",
    TypeOfRecord.MMS: "messages",
}


def type_of_record(text: str) -> str:
    """The name of a type of record as the platform writes it: ``*VOICE`` of CGRateS is ``voice``.

    Raises InvalidInput if it is no name.
    """
    name = text.strip().lower().removeprefix("*")
    if not is_type_of_record(name):
        raise InvalidInput(
            f"“{text[:MAX_TYPE_OF_RECORD]}” is not a type of record; write it like voice or mms"
        )
    return name


@lru_cache(maxsize=1_000)
def is_type_of_record(name: str) -> bool:
    """Whether this is the name of a type of record as :func:`type_of_record` writes it. Money is none."""
    return name != "monetary" and _TYPE_NAME.fullmatch(name) is not None


def unit_of(name: str) -> str:
    """What usage of a type of record is counted in: ``seconds``, ``octets``, ``messages`` or ``events``."""
    return _UNITS.get(name, "events")


_NUMBER = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s|us|\u00b5s|\u03bcs|ns)", re.ASCII)
_SECONDS_PER = {
    "h": Fraction(3600),
    "m": Fraction(60),
    "s": Fraction(1),
    "ms": Fraction(1, 10**3),
    "us": Fraction(1, 10**6),
    "\u00b5s": Fraction(1, 10**6),
    "\u03bcs": Fraction(1, 10**6),
    "ns": Fraction(1, 10**9),
}
_WRITTEN_UNITS = (("s", NANO), ("ms", 10**6), ("us", 10**3))
_MAX_TEXT = 40


def parse_usage_units(text: str) -> int:
    """A usage figure of a tariff file in seconds, octets or events: ``60``, ``60s``, ``1m``, ``1h30m``, ``1.5m``.

    A plain number is taken as it is; with units it is a duration of Go (``time.ParseDuration``), as in CGRateS.
    Raises InvalidInput for anything else, and for fractions of a unit.
    """
    written = text.strip()
    if written.isascii() and written.isdigit() and len(written) <= _MAX_TEXT:
        return int(written)
    total = _exact_units(written)
    if total.denominator != 1:
        raise InvalidInput(f"“{text}” is not a whole number of seconds, octets or events; round it")
    return int(total)


def parse_nanoseconds(text: str) -> int:
    """As :func:`parse_usage_units` in nanoseconds: ``1500ms`` and ``1.5s`` are 1,500,000,000.

    A number without a unit is one of seconds, octets or events, and has to be whole.
    """
    written = text.strip()
    if written.isascii() and written.isdigit() and len(written) <= _MAX_TEXT:
        return int(written) * NANO
    total = _exact_units(written) * NANO
    if total.denominator != 1 or (total % NANO and _NUMBER.fullmatch(written)):
        raise InvalidInput(
            f"“{text}” is not a whole number of units, nor of nanoseconds; write it like 1500ms"
        )
    return int(total)


def format_nanoseconds(nanoseconds: int) -> str:
    """A duration exactly, in the largest unit of which it is a whole number: ``60s``, ``1500ms``, ``7ns``."""
    for unit, size in _WRITTEN_UNITS:
        if nanoseconds % size == 0:
            return f"{nanoseconds // size}{unit}"
    return f"{nanoseconds}ns"


def figure(number: int, in_ns: bool) -> int | str:
    """A figure of usage as it is shown: a number of units as it is, nanoseconds as a duration (``1500ms``)."""
    return format_nanoseconds(number) if in_ns else number


def _exact_units(text: str) -> Fraction:
    written = text.lower()
    parts = _DURATION_PART.findall(written)
    if len(written) > _MAX_TEXT or not written:
        total = None
    elif _NUMBER.fullmatch(written):
        total = Fraction(written)
    elif parts and "".join(number + unit for number, unit in parts) == written:
        total = sum((Fraction(number) * _SECONDS_PER[unit] for number, unit in parts), Fraction(0))
    else:
        total = None
    if total is None:
        raise InvalidInput(f"“{text[:_MAX_TEXT]}” is not a number of units; write it like 60, 60s or 1m30s")
    return total
