"""What numbers and devices look like (ITU-T E.164 and E.212, 3GPP TS 23.003)."""

from __future__ import annotations

import re

_SHAPES = {
    "msisdn": (
        re.compile(r"[1-9]\d{4,14}", re.ASCII),
        "an MSISDN is 5 to 15 digits in international form, no “+”",
    ),
    "imsi": (re.compile(r"\d{14,15}", re.ASCII), "an IMSI is 14 or 15 digits"),
    "handset": (re.compile(r"\d{14,16}", re.ASCII), "an IMEI is 14 to 16 digits"),
}


def problem_with_resource(kind: str, value: str) -> str | None:
    """The fault of a resource's value, or None if it is well formed."""
    shape = _SHAPES.get(kind)
    if shape is None:
        return f"“{kind}” is not a kind of resource; choose {', '.join(_SHAPES)}"
    pattern, rule = shape
    return None if pattern.fullmatch(value) else rule
