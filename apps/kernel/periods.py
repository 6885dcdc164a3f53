"""Half-open periods of time in UTC, and the months and days that a time zone cuts out of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from apps.kernel.errors import InvalidInput


class Month(NamedTuple):
    """A calendar month of some time zone."""

    year: int
    month: int

    def next(self) -> Month:
        return Month(self.year + 1, 1) if self.month == 12 else Month(self.year, self.month + 1)

    def previous(self) -> Month:
        return Month(self.year - 1, 12) if self.month == 1 else Month(self.year, self.month - 1)

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"


@dataclass(frozen=True, slots=True)
class Period:
    """``[start, end)``: the start belongs to it, the end does not. Both are aware and in UTC."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is not UTC or self.end.tzinfo is not UTC:
            raise InvalidInput("a period needs aware UTC instants")
        if self.end < self.start:
            raise InvalidInput(f"a period cannot end ({self.end}) before it starts ({self.start})")

    def __contains__(self, instant: datetime) -> bool:
        return self.start <= instant < self.end

    def local_dates(self, zone: ZoneInfo) -> tuple[date, date]:
        """First day and the day after the last, as the zone's calendar counts the period's days.

        A day that the period only touches counts as a day of it.
        """
        first = self.start.astimezone(zone).date()
        if self.end == self.start:
            return first, first
        last = (self.end - timedelta(microseconds=1)).astimezone(zone).date()
        return first, last + timedelta(days=1)

    def days(self, zone: ZoneInfo) -> int:
        """How many days of the zone's calendar the period touches."""
        first, after_last = self.local_dates(zone)
        return (after_last - first).days


def local_midnight(day: date, zone: ZoneInfo) -> datetime:
    """The instant in UTC at which ``day`` begins in ``zone``."""
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)


def local_instant(day: date, second_of_day: int, zone: ZoneInfo) -> datetime:
    """The first instant of ``day`` in ``zone`` at which its wall clock has reached ``second_of_day``, in UTC.

    If clocks are put forward over that time, it is the change itself; if they are put back, the first of the
    two. ``second_of_day`` 86400 is the next day's beginning.
    """
    wall = datetime.combine(day, time()) + timedelta(seconds=second_of_day)
    instant = wall.replace(tzinfo=zone).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == wall:
        return instant
    before, after = wall.replace(tzinfo=zone, fold=1).astimezone(UTC), instant
    skipped_to = after.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        if middle.astimezone(zone).utcoffset() == skipped_to:
            after = middle
        else:
            before = middle
    return after


def month_of(instant: datetime, zone: ZoneInfo) -> Month:
    """The calendar month of ``zone`` that holds ``instant``."""
    local = instant.astimezone(zone)
    return Month(local.year, local.month)


def month_period(month: Month, zone: ZoneInfo, first_day: int = 1) -> Period:
    """The period of one month that begins on ``first_day`` (1–28) of ``month`` in ``zone``."""
    if not 1 <= first_day <= 28:
        raise InvalidInput(f"{first_day} is not a day that every month has; choose 1 to 28")
    after = month.next()
    return Period(
        local_midnight(date(month.year, month.month, first_day), zone),
        local_midnight(date(after.year, after.month, first_day), zone),
    )


def month_period_before(instant: datetime, zone: ZoneInfo, first_day: int = 1) -> Period:
    """The last whole month-long period, counted from ``first_day``, that had ended by ``instant``."""
    month = month_of(instant, zone)
    current = month_period(month, zone, first_day)
    if instant < current.start:
        month = month.previous()
    return month_period(month.previous(), zone, first_day)


def as_utc(instant: datetime) -> datetime:
    """The same instant with ``datetime.UTC`` as its zone. Raises InvalidInput for a naive one."""
    if instant.tzinfo is None:
        raise InvalidInput(f"{instant} has no time zone; write it like 2026-01-01T00:00:00Z")
    return instant.astimezone(UTC)
