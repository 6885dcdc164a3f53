"""When plans are due: on a timing's days at its time, or at intervals from the assignment on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.actions.domain.due_times import INTERVALS, check_timing, first_due, next_due
from apps.kernel.errors import InvalidInput
from apps.rating.domain.source import Timing

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 1, 31, 11, tzinfo=UTC)


def times(timing: Timing | str, count: int = 4, start: datetime = NOW) -> list[str]:
    """The next due times, as the tenant's clock shows them."""
    found: list[str] = []
    after = start
    while len(found) < count and (due := next_due(timing, start, after, BERLIN)) is not None:
        found.append(f"{due.astimezone(BERLIN):%Y-%m-%d %H:%M}")
        after = due
    return found


def test_as_soon_as_possible_is_once() -> None:
    assert first_due("*asap", NOW, BERLIN) == NOW
    assert next_due("*asap", NOW, NOW, BERLIN) is None


def test_months_from_the_assignment_keep_its_day_or_take_the_last() -> None:
    assert times("*monthly") == [
        "2026-02-28 12:00",
        "2026-03-31 12:00",
        "2026-04-30 12:00",
        "2026-05-31 12:00",
    ]
    leap_day = datetime(2028, 2, 29, 11, tzinfo=UTC)
    assert times("*yearly", 2, leap_day) == ["2029-02-28 12:00", "2030-02-28 12:00"]


def test_days_and_weeks_keep_the_time_of_day_over_a_change_of_clocks() -> None:
    before = datetime(2026, 3, 28, 11, tzinfo=UTC)
    assert times("*daily", 2, before) == ["2026-03-29 12:00", "2026-03-30 12:00"]
    assert times("*weekly", 2, before) == ["2026-04-04 12:00", "2026-04-11 12:00"]
    assert times("*hourly", 2, before) == ["2026-03-28 13:00", "2026-03-28 14:00"]
    assert times("*every_minute", 1, before) == ["2026-03-28 12:01"]


@pytest.mark.parametrize(
    ("timing", "due"),
    [
        (Timing("ANY"), ["2026-02-01 00:00", "2026-02-02 00:00"]),
        (Timing("FIRST", month_days=(1,), start_s=3600), ["2026-02-01 01:00", "2026-03-01 01:00"]),
        (Timing("MON", weekdays=(1,), start_s=8 * 3600), ["2026-02-02 08:00", "2026-02-09 08:00"]),
        (Timing("LEAP", months=(2,), month_days=(29,)), ["2028-02-29 00:00", "2032-02-29 00:00"]),
        (Timing("ONCE", years=(2026,), months=(5,), month_days=(1,)), ["2026-05-01 00:00"]),
        (Timing("PAST", years=(2020,)), []),
        (Timing("TODAY", month_days=(31,), start_s=12 * 3600), ["2026-03-31 12:00", "2026-05-31 12:00"]),
    ],
)
def test_a_timing_is_due_on_its_days_at_its_time(timing: Timing, due: list[str]) -> None:
    assert times(timing, 2) == due


def test_a_keyword_that_is_no_time_is_refused() -> None:
    assert check_timing("*ASAP") == "*asap"
    assert check_timing("PEAK") == "PEAK"
    with pytest.raises(InvalidInput, match="not a time"):
        check_timing("*sometimes")


_TIMINGS = st.sampled_from(INTERVALS) | st.builds(
    Timing,
    id=st.just("T"),
    years=st.just(()),
    months=st.lists(st.integers(1, 12), max_size=2).map(tuple),
    month_days=st.lists(st.integers(1, 28), max_size=2).map(tuple),
    weekdays=st.lists(st.integers(1, 7), max_size=2).map(tuple),
    start_s=st.integers(0, 86_399),
    end_s=st.just(86_400),
)


@given(_TIMINGS, st.integers(0, 10_000_000), st.integers(0, 3_000_000))
def test_law_the_next_time_is_later_and_none_lies_between(
    timing: Timing | str, assigned_s: int, after_s: int
) -> None:
    assigned_at = NOW + timedelta(seconds=assigned_s)
    after = assigned_at + timedelta(seconds=after_s)
    due = next_due(timing, assigned_at, after, BERLIN)
    assert due is not None
    assert due > after
    # Reckoned from any moment between the two, the next time is the same.
    for part in (0.25, 0.5, 0.999):
        assert next_due(timing, assigned_at, after + (due - after) * part, BERLIN) == due
