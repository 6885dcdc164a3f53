"""Quarters of an hour, as which databases count, and the days of a time zone that they belong to.

No zone in use is off UTC by other than whole quarters, so no quarter belongs to two days.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

QUARTER_S = 900


@lru_cache(maxsize=20_000)
def day_of_quarter(quarter: int, zone: ZoneInfo) -> date:
    """The day that holds a quarter, counted from 1970-01-01 00:00 UTC."""
    return datetime.fromtimestamp(quarter * QUARTER_S, UTC).astimezone(zone).date()


def days_to_look_at(last_finished: date | None, today: date, most: int) -> Iterator[date]:
    """The days after the last one that was finished, up to today; at most the newest ``most`` of them."""
    first = today - timedelta(days=most - 1)
    if last_finished is not None:
        first = max(first, last_finished + timedelta(days=1))
    while first <= today:
        yield first
        first += timedelta(days=1)
