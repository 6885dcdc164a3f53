"""Parameters of activities, as they come from people and other systems (µBSS: param, param2, param3)."""

from __future__ import annotations

from apps.kernel.errors import InvalidInput
from apps.kernel.periods import Month

FIRST_YEAR, LAST_YEAR = 2000, 2999


def parse_month(month: str, year: str) -> Month | None:
    """The month that two parameters name; None if both are empty (the last closed period is meant then)."""
    month, year = month.strip(), year.strip()
    if not month and not year:
        return None
    if not month or not year:
        missing = "year" if month else "month"
        raise InvalidInput(f"the {missing} is missing; give month and year, or neither", where=missing)
    if not (month.isascii() and month.isdigit() and 1 <= int(month) <= 12):
        raise InvalidInput(f"“{month}” is not a month; write 1 to 12", where="month")
    if not (year.isascii() and year.isdigit() and FIRST_YEAR <= int(year) <= LAST_YEAR):
        raise InvalidInput(f"“{year}” is not a year; write it like 2026", where="year")
    return Month(int(year), int(month))


def parse_cycle_number(text: str) -> int:
    """The number of a bill cycle."""
    text = text.strip()
    if not (text.isascii() and text.isdigit() and int(text) < 32_768):
        raise InvalidInput(f"“{text}” is not the number of a bill cycle; write it like 1", where="bill cycle")
    return int(text)


def parse_msisdn(text: str) -> str:
    """The digits of an MSISDN, with or without “+” and spaces before."""
    digits = text.strip().removeprefix("+").replace(" ", "")
    if not (digits.isascii() and digits.isdigit() and 3 <= len(digits) <= 15):
        raise InvalidInput(f"“{text}” is not an MSISDN; write it like 491701234567", where="MSISDN")
    return digits
