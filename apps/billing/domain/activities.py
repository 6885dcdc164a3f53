"""Parameters of activities: as they are kept, and as they come from people and other systems (µBSS: param … param6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.kernel.errors import InvalidInput
from apps.kernel.periods import Month, as_utc


@dataclass(frozen=True, slots=True)
class ActivityParameters:
    """What an activity is about: an MSISDN or a bill cycle's number, and the month in which the period begins."""

    month: Month
    msisdn: str = ""
    cycle: int = 0
    account_id: int = 0
    """Of a last bill: the MSISDN may be another subscriber's by then."""
    until: datetime | None = None
    """Where a last bill ends, within the period."""

    @property
    def subject(self) -> str:
        """The MSISDN or the cycle's number, as people give it."""
        return self.msisdn or (str(self.cycle) if self.cycle else f"account {self.account_id}")

    def as_json(self) -> dict[str, Any]:
        """The form in which they are stored, without the empty ones."""
        kept = {"msisdn": self.msisdn, "cycle": self.cycle, "account_id": self.account_id}
        return {
            "year": self.month.year,
            "month": self.month.month,
            **{name: value for name, value in kept.items() if value},
            **({"until": self.until.isoformat()} if self.until else {}),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> ActivityParameters:
        """What :meth:`as_json` stored."""
        until = stored.get("until")
        return cls(
            Month(stored["year"], stored["month"]),
            stored.get("msisdn", ""),
            stored.get("cycle", 0),
            stored.get("account_id", 0),
            as_utc(datetime.fromisoformat(until)) if until else None,
        )

    def as_texts(self) -> tuple[str, str, str, str, str, str]:
        """The six texts of µBSS: subject, month, year, end and account of a last bill, and one without a use."""
        return (
            self.subject,
            str(self.month.month),
            str(self.month.year),
            self.until.isoformat() if self.until else "",
            str(self.account_id) if self.account_id else "",
            "",
        )


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
