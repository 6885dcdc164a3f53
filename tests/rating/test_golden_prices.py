"""Prices computed by hand, one rule a row; the arithmetic stands beside each."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from apps.rating.domain.source import Timing
from tests.rating.tariffs import rater, slot, usage

WORKDAYS = (1, 2, 3, 4, 5)
PEAK = Timing("PEAK", weekdays=WORKDAYS, start_s=8 * 3600)
EVENING = Timing("EVENING", weekdays=WORKDAYS, start_s=19 * 3600)
WEEKEND = Timing("WEEKEND", weekdays=(6, 7))
MAY_DAY = Timing("MAY_DAY", months=(5,), month_days=(1,))
ALL_DAY = Timing("ALL_DAY")

BASE = (ALL_DAY, "0", [slot("0.6", 60, 1)])
PEAK_AND_EVENING = [
    BASE,
    (PEAK, "10", [slot("1.2", 60, 60)]),
    (EVENING, "10", [slot("0.6", 60, 30)]),
    (WEEKEND, "10", [slot("0.3", 60, 60)]),
    (MAY_DAY, "20", [slot("0.06", 60, 60)]),
]


class Golden(NamedTuple):
    """What is priced, by what, and the price in micro-units; ``why`` holds the arithmetic."""

    why: str
    cost_micros: int
    billed: int
    amount: int
    slots: list
    options: dict = {}
    start: str = "2026-01-05T12:00:00Z"
    tor: str = "voice"


GOLDEN = [
    Golden("60 s at 0.6 a minute: 60 × 0.6/60 = 0.6", 600_000, 60, 60, [slot("0.6", 60, 1)]),
    Golden("61 s in minutes: 2 × 0.6 = 1.2, 120 s billed", 1_200_000, 120, 61, [slot("0.6")]),
    Golden("1 s in minutes is a minute: 0.6", 600_000, 60, 1, [slot("0.6")]),
    Golden("61 s at 1/1: 61 × 0.6/60 = 0.61", 610_000, 61, 61, [slot("0.6", 60, 1)]),
    Golden(
        "0.7 a minute by the second for 60 s is 0.7, not 0.7002",
        700_000,
        60,
        60,
        [slot("0.7", 60, 1)],
        {"rounding": ("*up", 4)},
    ),
    Golden(
        "30/6: 31 s = 30 (first increment) + 1 → one of 6: (30 + 6) × 0.6/60 = 0.36",
        360_000,
        36,
        31,
        [slot("0.6", 60, 30), slot("0.6", 60, 6, start=30)],
    ),
    Golden(
        "30/6 for 10 s: one increment of 30 = 0.3",
        300_000,
        30,
        10,
        [slot("0.6", 60, 30), slot("0.6", 60, 6, start=30)],
    ),
    Golden(
        "connect fee 0.1 and 60 × 0.01 = 0.7",
        700_000,
        60,
        60,
        [slot("0.6", 60, 1, connect_fee="0.1")],
    ),
    Golden(
        "the fee is the first row's, also where usage reaches a later slot: 0.1 + 0.6 + 1 × 1.2 = 1.9",
        1_900_000,
        120,
        61,
        [slot("0.6", connect_fee="0.1"), slot("1.2", start=60, connect_fee="0.5")],
    ),
    Golden("no usage costs nothing, and no fee", 0, 0, 0, [slot("0.6", connect_fee="0.1")]),
    Golden(
        "slots: 60 s at 0.6/min, then by 30 s at 0.3/min: 0.6 + 2 × 0.15 = 0.9",
        900_000,
        120,
        100,
        [slot("0.6"), slot("0.3", 60, 30, start=60)],
    ),
    Golden(
        "an increment of 60 runs past the slot's end at 45 to 60; the next begins there: 0.6 + 10 × 0.01 = 0.7",
        700_000,
        70,
        70,
        [slot("0.6", 60, 60), slot("0.6", 60, 1, start=45)],
    ),
    Golden(
        "a slot that an increment runs over is never used: 1 × 0.6 + 1 × 0.006 = 0.606",
        606_000,
        61,
        61,
        [slot("0.6", 60, 60), slot("600", 60, 1, start=30), slot("0.36", 60, 1, start=50)],
    ),
    Golden(
        "19:00 passes inside: 60 s peak = 1.2, then 90 s by 30 at 0.6/min = 3 × 0.3 = 0.9, in all 2.1",
        2_100_000,
        150,
        150,
        [],
        {"timed": PEAK_AND_EVENING},
        "2026-01-05T18:59:00Z",
    ),
    Golden(
        "the peak minute begun at 18:59:30 runs to 19:00:30; 60 of 90 s billed at 1.2, 30 s at 0.3: 1.5",
        1_500_000,
        90,
        90,
        [],
        {"timed": PEAK_AND_EVENING},
        "2026-01-05T18:59:30Z",
    ),
    Golden(
        "before 8:00 on a weekday only the base applies: 60 × 0.01",
        600_000,
        60,
        60,
        [],
        {"timed": PEAK_AND_EVENING},
        "2026-01-05T07:00:00Z",
    ),
    Golden("Saturday: 0.3", 300_000, 60, 60, [], {"timed": PEAK_AND_EVENING}, "2026-01-10T12:00:00Z"),
    Golden(
        "1 May 2026 is a Friday; the holiday's weight 20 beats the weekday's 10: 0.06",
        60_000,
        60,
        60,
        [],
        {"timed": PEAK_AND_EVENING},
        "2026-05-01T12:00:00Z",
    ),
    Golden(
        "midnight from Friday to Saturday: 60 s evening by 30 at 0.6/min = 0.6, 60 s weekend = 0.3",
        900_000,
        120,
        120,
        [],
        {"timed": PEAK_AND_EVENING},
        "2026-01-09T23:59:00Z",
    ),
    Golden(
        "data never crosses a boundary: 150 units at 18:59 are all peak: 3 × 1.2 = 3.6",
        3_600_000,
        180,
        150,
        [],
        {"timed": PEAK_AND_EVENING},
        "2026-01-05T18:59:00Z",
        "data",
    ),
    Golden(
        "equal weights: of 8:00 and 19:00 the later start applies at 20:00: 2 × 0.3 = 0.6",
        600_000,
        60,
        60,
        [],
        {"timed": PEAK_AND_EVENING},
        "2026-01-05T20:00:00Z",
    ),
    Golden(
        "20:00 UTC is 15:00 in New York, so peak: 1.2",
        1_200_000,
        60,
        60,
        [],
        {"timed": PEAK_AND_EVENING, "zone": "America/New_York"},
        "2026-01-05T20:00:00Z",
    ),
    Golden(
        "a timing with an end: 2 s before and 1 s after 12:30, 0.02 + 0.5/60 = 0.028333…",
        28_333,
        3,
        3,
        [],
        {
            "timed": [
                (ALL_DAY, "0", [slot("0.5", 60, 1)]),
                (Timing("LUNCH", start_s=12 * 3600, end_s=45_000), "5", [slot("0.6", 60, 1)]),
            ]
        },
        "2026-01-05T12:29:58Z",
    ),
    Golden(
        "rate 0.0000001 an octet: 10 MB = 1", 1_000_000, 10**7, 10**7, [slot("0.0000001", 1, 1)], tor="data"
    ),
    Golden(
        "1/3 of 0.1 = 0.033333…, no rounding: settled to the micro-unit",
        33_333,
        20,
        20,
        [slot("0.1", 60, 1)],
    ),
    Golden("*up to 2: 0.033333… → 0.04", 40_000, 20, 20, [slot("0.1", 60, 1)], {"rounding": ("*up", 2)}),
    Golden("*down to 2: 0.033333… → 0.03", 30_000, 20, 20, [slot("0.1", 60, 1)], {"rounding": ("*down", 2)}),
    Golden(
        "*middle to 2: 0.045 → 0.05",
        50_000,
        27,
        27,
        [slot("0.1", 60, 1)],
        {"rounding": ("*middle", 2)},
    ),
    Golden(
        "rounded once: 3 × 0.0033333… = 0.01 exactly, not 3 × 0.0034",
        10_000,
        6,
        6,
        [slot("0.1", 60, 2)],
        {"rounding": ("*up", 4)},
    ),
    Golden(
        "*free: 10 min at 0.6 would be 6; capped at 1",
        1_000_000,
        600,
        600,
        [slot("0.6")],
        {"max_cost": ("1", "*free")},
    ),
    Golden(
        "*free below the cap changes nothing",
        600_000,
        60,
        60,
        [slot("0.6")],
        {"max_cost": ("1", "*free")},
    ),
    Golden(
        "the connect fee counts towards *free: min(0.5 + 0.6, 0.8)",
        800_000,
        60,
        60,
        [slot("0.6", connect_fee="0.5")],
        {"max_cost": ("0.8", "*free")},
    ),
    Golden(
        "*disconnect does not limit a price enquiry: 10 × 0.6",
        6_000_000,
        600,
        600,
        [slot("0.6")],
        {"max_cost": ("1", "*disconnect")},
    ),
    Golden(
        "maximum cost 0 is none, with any strategy",
        6_000_000,
        600,
        600,
        [slot("0.6")],
        {"max_cost": ("0", "*free")},
    ),
    Golden("an SMS: 0.09", 90_000, 1, 1, [slot("0.09", 1, 1)], tor="sms"),
    Golden(
        "generic events in packs of 10: 25 → 30 × 0.02", 600_000, 30, 25, [slot("0.02", 1, 10)], tor="generic"
    ),
]


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden.why)
def test_a_price_computed_by_hand_is_the_raters_price(golden: Golden) -> None:
    machine = rater(golden.slots, **golden.options)
    piece = usage(golden.amount, golden.start, tor=golden.tor)
    for _ in range(2):  # The second time everything is remembered.
        rated = machine.rate(piece)
        assert (rated.cost_micros, rated.billed_usage) == (golden.cost_micros, golden.billed)


def test_the_largest_decimals_of_the_segments_count() -> None:
    from apps.rating.domain import Rater, compile_tariff
    from tests.rating.tariffs import tariff_source

    source = tariff_source(
        timed=[(ALL_DAY, "0", [slot("0.1", 60, 1)]), (EVENING, "10", [slot("0.1", 60, 1)])],
    )
    plan = source.tariff_plans[0]
    day, evening = plan.destination_rates
    plan = plan._replace(
        destination_rates=(
            day._replace(rounding_method="*up", rounding_decimals=2),
            evening._replace(rounding_method="*down", rounding_decimals=4),
        )
    )
    machine = Rater(compile_tariff(source._replace(tariff_plans=(plan,))))
    # 20 s by day alone: 0.03333… up to 2 decimals.
    assert machine.rate(usage(20, "2026-01-05T12:00:00Z")).cost_micros == 40_000
    # 10 s by day and 10 s in the evening: the evening's 4 decimals and method settle the whole.
    assert machine.rate(usage(20, "2026-01-05T18:59:50Z")).cost_micros == 33_300
