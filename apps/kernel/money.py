"""Money as integers: micro-units (1e-6) of a currency, and their plain decimal text."""

from __future__ import annotations

import re
from math import gcd

from apps.kernel.errors import InvalidInput

MICROS_PER_UNIT = 1_000_000

# Python refuses to read numbers of more than 4,300 digits; no amount is nearly as long.
_MAX_TEXT = 100
_DECIMAL = re.compile(r"(?P<sign>[+-]?)(?P<whole>\d+)(?:\.(?P<fraction>\d*))?", re.ASCII)


def _decimal(text: str) -> re.Match[str]:
    match = _DECIMAL.fullmatch(text.strip()) if len(text) <= _MAX_TEXT else None
    if match is None:
        raise InvalidInput(f"“{text[:_MAX_TEXT]}” is not an amount; write it like 0.25")
    return match


def parse_micros(text: str) -> int:
    """Micro-units of a decimal amount such as ``0.1234``.

    Raises InvalidInput when the text is not a plain decimal number, or has digits below a micro-unit
    (which would be lost in silence otherwise).
    """
    match = _decimal(text)
    fraction = (match["fraction"] or "").rstrip("0")
    if len(fraction) > 6:
        raise InvalidInput(f"“{text}” has more than six decimals; the smallest amount is 0.000001")
    micros = int(match["whole"]) * MICROS_PER_UNIT + int(fraction.ljust(6, "0"))
    return -micros if match["sign"] == "-" else micros


def exact_micros(text: str) -> tuple[int, int]:
    """The exact number of micro-units of a decimal amount, as a ratio in lowest terms.

    For rates, which may be finer than a micro-unit: ``0.0000001`` is ``(1, 10)``.
    Raises InvalidInput when the text is not a plain decimal number.
    """
    match = _decimal(text)
    fraction = match["fraction"] or ""
    numerator = int(match["whole"] + fraction) * MICROS_PER_UNIT
    denominator = 10 ** len(fraction)
    divisor = gcd(numerator, denominator)
    sign = -1 if match["sign"] == "-" else 1
    return sign * numerator // divisor, denominator // divisor


def format_micros(micros: int, min_decimals: int = 0) -> str:
    """Plain decimal text of an amount, without trailing zeros beyond ``min_decimals``: ``0.1234``."""
    whole, fraction = divmod(abs(micros), MICROS_PER_UNIT)
    digits = f"{fraction:06d}".rstrip("0").ljust(min_decimals, "0")
    sign = "-" if micros < 0 else ""
    return f"{sign}{whole}.{digits}" if digits else f"{sign}{whole}"
