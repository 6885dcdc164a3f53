"""Timing bands on the clocks of time zones, above all on the days on which clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from apps.kernel.periods import local_instant
from apps.rating.domain.source import Timing
from apps.rating.domain.timings import NO_TIMING, Schedule
from tests.rating.tariffs import rater, slot, usage

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT_AND_DAY = (
    (Timing("NIGHT"), Decimal(10)),
    (Timing("DAY", start_s=8 * 3600), Decimal(10)),
)


def at(schedule: Schedule, text: str) -> str:
    index, _ = schedule.at(int(datetime.fromisoformat(text).timestamp()))
    return schedule.entries[index][0].id if index != NO_TIMING else ""


def test_bands_follow_the_local_clock_over_summer_time() -> None:
    schedule = Schedule(NIGHT_AND_DAY, BERLIN)
    assert at(schedule, "2026-03-28T06:59:59Z") == "NIGHT"
    assert at(schedule, "2026-03-28T07:00:00Z") == "DAY"
    assert at(schedule, "2026-03-29T05:59:59Z") == "NIGHT"
    assert at(schedule, "2026-03-29T06:00:00Z") == "DAY"
    assert at(schedule, "2026-03-29T21:59:59Z") == "DAY"
    assert at(schedule, "2026-03-29T22:00:00Z") == "NIGHT"


def test_a_start_that_the_clock_skips_is_the_moment_of_the_change() -> None:
    schedule = Schedule(((Timing("A"), Decimal(1)), (Timing("B", start_s=9000), Decimal(1))), BERLIN)
    assert at(schedule, "2026-03-29T00:59:59Z") == "A"
    assert at(schedule, "2026-03-29T01:00:00Z") == "B"


def test_a_start_that_the_clock_shows_twice_is_the_first_and_there_is_no_way_back() -> None:
    schedule = Schedule(((Timing("A"), Decimal(1)), (Timing("B", start_s=9000), Decimal(1))), BERLIN)
    assert at(schedule, "2026-10-25T00:29:59Z") == "A"
    assert at(schedule, "2026-10-25T00:30:00Z") == "B"
    assert at(schedule, "2026-10-25T01:15:00Z") == "B"


def test_a_day_that_a_zone_left_out_has_no_bands() -> None:
    # Samoa went from 29 to 31 December 2011.
    schedule = Schedule(
        ((Timing("ALWAYS"), Decimal(1)), (Timing("THE_30TH", month_days=(30,)), Decimal(2))),
        ZoneInfo("Pacific/Apia"),
    )
    before = datetime(2011, 12, 30, 9, 59, tzinfo=UTC)
    assert [at(schedule, (before + timedelta(minutes=n)).isoformat()) for n in range(3)] == ["ALWAYS"] * 3


def test_a_call_over_the_hour_that_comes_twice_is_billed_for_its_true_length() -> None:
    machine = rater(
        timed=[
            (Timing("ALL"), "0", [slot("0.6", 60, 60)]),
            (Timing("FROM3", start_s=3 * 3600), "10", [slot("1.2", 60, 60)]),
        ],
        zone="Europe/Berlin",
    )
    # From 00:30 to 01:30 UTC is 02:30 to 02:30 on the clock: 30 minutes by 0.6 to 01:00 UTC, which is 02:00 again;
    # three o'clock comes at 02:00 UTC, so all 60 minutes cost 0.6.
    assert machine.rate(usage(3600, "2026-10-25T00:30:00Z")).cost_micros == 36_000_000
    assert machine.rate(usage(3600, "2026-10-25T01:30:00Z")).cost_micros == 30 * 600_000 + 30 * 1_200_000


def test_years_months_days_and_weekdays_must_all_hold() -> None:
    friday_13 = Timing("F13", (2026,), (2, 3), (13,), (5,))
    schedule = Schedule(((friday_13, Decimal(1)),), ZoneInfo("UTC"))
    days = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=n) for n in range(800)]
    held = [day.date() for day in days if at(schedule, day.isoformat())]
    assert held == [date(2026, 2, 13), date(2026, 3, 13)]


@given(
    st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns", "Asia/Kathmandu"]),
    st.integers(0, 3 * 365),
    st.integers(0, 86_399),
)
def test_the_first_instant_of_a_local_time_is_where_the_wall_clock_reaches_it(
    zone_name: str, days: int, second: int
) -> None:
    zone = ZoneInfo(zone_name)
    day = date(2024, 1, 1) + timedelta(days=days)
    instant = local_instant(day, second, zone)
    wall = datetime.combine(day, datetime.min.time()) + timedelta(seconds=second)
    assert instant.astimezone(zone).replace(tzinfo=None) >= wall
    just_before = (instant - timedelta(seconds=1)).astimezone(zone).replace(tzinfo=None)
    assert just_before < wall
