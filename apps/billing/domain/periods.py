"""Periods of bill cycles, and the days of a bill.

A cycle's period begins on the cycle's day of a month, at midnight of the cycle's time zone, and ends where the
next begins. A bill covers everything since the account's last one, ``[from, until)``: usually one period; less after
the account was opened or moved to another cycle, more where periods were left out. So bills leave no gap and never
overlap.

Fees are counted in calendar days of the cycle's zone. The day on which something begins is counted, the day on which
it ends is not, so that a change within a day is charged once, to what begins on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from apps.kernel.errors import InvalidInput
from apps.kernel.periods import Month, Period, local_midnight, month_of, month_period, month_period_before

HALF_A_DAY = timedelta(hours=12)


class DaySpan(NamedTuple):
    """Calendar days ``[first, after)``."""

    first: date
    after: date

    @property
    def days(self) -> int:
        return (self.after - self.first).days


class Window(NamedTuple):
    """What one bill covers: times for usage, days for fees, and the cycle's whole months that these days are of."""

    start: datetime
    end: datetime
    days: DaySpan
    months: tuple[DaySpan, ...]
    zone: ZoneInfo

    @property
    def last_day(self) -> date:
        """The period's last day: the tax point, and the day that discounts and addresses are read for."""
        return self.days.after - timedelta(days=1)


def cycle_period(month: Month, day: int, zone: ZoneInfo) -> Period:
    """The period of a cycle that begins in ``month``."""
    return month_period(month, zone, day)


def last_closed_period(now: datetime, day: int, zone: ZoneInfo) -> Period:
    """The last period that had ended by ``now``."""
    return month_period_before(now, zone, day)


def next_period(period: Period, day: int, zone: ZoneInfo) -> Period:
    """The period after ``period``."""
    return month_period(month_of(period.end, zone), zone, day)


def closed_periods_after(at: datetime, now: datetime, day: int, zone: ZoneInfo) -> Iterator[Period]:
    """Periods that end after ``at`` and had ended by ``now``, oldest first."""
    last = last_closed_period(now, day, zone)
    if last.end <= at:
        return
    month = month_of(at, zone)
    period = month_period(month.previous(), zone, day)
    while period.end <= last.end:
        if period.end > at:
            yield period
        period = next_period(period, day, zone)


def day_of(at: datetime, zone: ZoneInfo) -> date:
    """The calendar day that holds ``at``."""
    return at.astimezone(zone).date()


def boundary_day(at: datetime, zone: ZoneInfo) -> date:
    """The day that begins nearest to the boundary of a period.

    The end of a period in the zone of a former cycle need not be a midnight here; to the nearest one, no day
    is charged by both cycles or by neither.
    """
    return (at + HALF_A_DAY).astimezone(zone).date()


def months_of(days: DaySpan, cycle_day: int) -> tuple[DaySpan, ...]:
    """The cycle's whole months that share a day with ``days``, in order."""
    if days.days <= 0:
        return ()
    month = Month(days.first.year, days.first.month)
    if days.first.day < cycle_day:
        month = month.previous()
    found: list[DaySpan] = []
    while True:
        after = month.next()
        span = DaySpan(date(month.year, month.month, cycle_day), date(after.year, after.month, cycle_day))
        if span.first >= days.after:
            return tuple(found)
        found.append(span)
        month = after


@lru_cache(maxsize=4096)
def window_of(
    begins: datetime, end: datetime, cycle_day: int, zone: ZoneInfo, *, billed_before: bool
) -> Window:
    """The window of a bill from ``begins`` (end of the last bill, or else where billing begins) until ``end``.

    Raises InvalidInput if ``end`` is not after ``begins``: that time is billed already.
    """
    if end <= begins:
        raise InvalidInput(f"a bill until {end} cannot begin at {begins}")
    first = boundary_day(begins, zone) if billed_before else day_of(begins, zone)
    days = DaySpan(first, max(first, boundary_day(end, zone)))
    return Window(begins, end, days, months_of(days, cycle_day), zone)


@lru_cache(maxsize=4096)
def midnight(day: date, zone: ZoneInfo) -> datetime:
    """As kernel's ``local_midnight``, cached: a run asks for the same few days over and over."""
    return local_midnight(day, zone)
