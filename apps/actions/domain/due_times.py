"""When the entries of action plans are due: at the times of a timing, or at intervals from the assignment on.

A timing is due once on each of its days, when its time of day begins on the tenant's clock (CGRateS
``engine/action_plan.go``, ``GetNextStartTime``). The next time follows from the last due time and not from the clock:
what was missed while no process ran is carried out later, each due time once.
"""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from apps.kernel.errors import InvalidInput
from apps.kernel.periods import local_instant
from apps.rating.domain.source import ANY, Timing
from apps.rating.domain.tariff_files.fields import ASAP, keyword
from apps.rating.domain.timings import applies_on

_SPANS = {
    "*every_minute": timedelta(minutes=1),
    "*hourly": timedelta(hours=1),
    "*daily": timedelta(days=1),
    "*weekly": timedelta(weeks=1),
}
_MONTHS = {"*monthly": 1, "*yearly": 12}
INTERVALS = (*_SPANS, *_MONTHS)
_DAY = timedelta(days=1)
# 29 February comes after eight years at the latest, on a given weekday after forty.
_DAYS_AHEAD = 366 * 41


def check_timing(text: str) -> str:
    """A keyword in small letters, or the id of a timing as it is; ``*any`` is every midnight.

    Raises InvalidInput for a keyword that is none.
    """
    word = keyword(text.strip())
    if word.startswith("*") and word not in (ASAP, ANY, *INTERVALS):
        raise InvalidInput(
            f"“{text}” is not a time; write {ASAP}, {', '.join(INTERVALS)} or the id of a timing"
        )
    return word


def first_due(timing: Timing | str, assigned_at: datetime, zone: ZoneInfo) -> datetime | None:
    """When an entry is due first for an account that has its plan since ``assigned_at``; ``*asap``: then."""
    return assigned_at if timing == ASAP else next_due(timing, assigned_at, assigned_at, zone)


@lru_cache(maxsize=100_000)
def next_due(timing: Timing | str, assigned_at: datetime, after: datetime, zone: ZoneInfo) -> datetime | None:
    """The first due time later than ``after``; None for never again.

    Intervals of days and longer keep the assignment's time of day in ``zone``; a month that lacks its day has it on
    the last.
    """
    if isinstance(timing, Timing):
        return _next_of_timing(timing, after, zone)
    if timing == ASAP:
        return None
    if timing in _MONTHS:
        return _next_of_months(_MONTHS[timing], assigned_at, after, zone)
    span = _SPANS[timing]
    if span < _DAY:
        return assigned_at + ((after - assigned_at) // span + 1) * span
    start = assigned_at.astimezone(zone)
    days = max(int((after - assigned_at) / span) - 1, 0)
    while True:
        # On the wall clock: the zone's offset may change between the two.
        due = (start.replace(tzinfo=None) + days * span).replace(tzinfo=zone).astimezone(UTC)
        if due > after:
            return due
        days += 1


def _next_of_months(step: int, assigned_at: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    start, now = assigned_at.astimezone(zone), after.astimezone(zone)
    passed = (now.year - start.year) * 12 + now.month - start.month
    months = max(passed // step - 1, 0) * step
    while True:
        place = start.year * 12 + start.month - 1 + months
        year, month = place // 12, place % 12 + 1
        day = min(start.day, calendar.monthrange(year, month)[1])
        due = start.replace(year=year, month=month, day=day).astimezone(UTC)
        if due > after:
            return due
        months += step


def _next_of_timing(timing: Timing, after: datetime, zone: ZoneInfo) -> datetime | None:
    day = after.astimezone(zone).date()
    last = max(timing.years) if timing.years else 9999
    for _ in range(_DAYS_AHEAD):
        if day.year > last:
            return None
        if applies_on(timing, day):
            due = local_instant(day, timing.start_s, zone)
            if due > after:
                return due
        day += _DAY
    return None
