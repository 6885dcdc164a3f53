"""Rater events a second on one core: flat one-slot rates, and slotted, timed ones; peak memory beside them."""

from __future__ import annotations

import gc
import random
import time
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from apps.rating.domain.rater import Rater
from apps.rating.domain.source import (
    Destination,
    DestinationRate,
    Rate,
    RateSlot,
    RatingPlanEntry,
    RatingProfile,
    TariffPlan,
    TariffSource,
    Timing,
)
from apps.rating.domain.tariff import compile_tariff
from apps.rating.domain.usage import Usage
from benchmarks.protocol import Measurement, Setup

TITLE = "Rating"
DATABASES = ("",)

EVENTS = 500_000
DESTINATIONS = 1_000
PREFIXES_EACH = 20
SUBJECTS = 1_000
FLAT_TARGET = 200_000
SLOTTED_TARGET = 60_000
MONTH = datetime(2026, 3, 1, tzinfo=UTC)


class Measured(NamedTuple):
    """How many events were rated, in how many seconds, for how much money in all."""

    events: int
    seconds: float
    cost_micros: int

    @property
    def events_per_s(self) -> float:
        return self.events / self.seconds


def flat_source() -> TariffSource:
    """20,000 prefixes of 1,000 destinations at one-slot rates; 50 subjects have a profile of their own."""
    destinations = _destinations()
    rates = tuple(Rate(f"RT_{n}", (RateSlot(0, "0.05", f"0.{n + 1:04d}", 60, 30),)) for n in range(100))
    return _source(
        destinations,
        rates,
        (),
        tuple(RatingPlanEntry("RP", "DR", "*any", "10") for _ in range(1)),
    )


def slotted_source() -> TariffSource:
    """As :func:`flat_source`, with three slots, and weekday peak, weekday and weekend timings."""
    slots = [
        tuple(
            RateSlot(start, "0.05", f"0.{n + 1:03d}{peak}", 60, increment)
            for start, increment in ((0, 60), (60, 30), (300, 1))
        )
        for n in range(100)
        for peak in range(3)
    ]
    rates = tuple(Rate(f"RT_{n // 3}_{n % 3}", rows) for n, rows in enumerate(slots))
    timings = (
        Timing("ALL_DAY"),
        Timing("PEAK", weekdays=(1, 2, 3, 4, 5), start_s=8 * 3600),
        Timing("OFFPEAK", weekdays=(1, 2, 3, 4, 5), start_s=19 * 3600),
    )
    entries = tuple(
        RatingPlanEntry("RP", f"DR_{n}", timing.id, str(10 * n)) for n, timing in enumerate(timings)
    )
    return _source(_destinations(), rates, timings, entries)


def flat_events(count: int = EVENTS) -> tuple[Measured, Measured]:
    """Rate calls of varied numbers and subjects at flat rates through ``Rater.rate``: first time through, and again."""
    return _measure(Rater(compile_tariff(flat_source())), _usages(count, longest_s=600))


def slotted_events(count: int = EVENTS) -> tuple[Measured, Measured]:
    """Rate calls that pass slots and, some of them, the peak's boundaries, in a zone with summer time."""
    return _measure(Rater(compile_tariff(slotted_source())), _usages(count, longest_s=1_800))


def _destinations() -> tuple[Destination, ...]:
    draw = random.Random(1)
    prefixes = draw.sample(range(10_000, 10_000_000), DESTINATIONS * PREFIXES_EACH)
    return tuple(
        Destination(f"DST_{n}", tuple(str(p) for p in prefixes[n * PREFIXES_EACH : (n + 1) * PREFIXES_EACH]))
        for n in range(DESTINATIONS)
    )


def _source(
    destinations: tuple[Destination, ...],
    rates: tuple[Rate, ...],
    timings: tuple[Timing, ...],
    entries: tuple[RatingPlanEntry, ...],
) -> TariffSource:
    groups = []
    for n, entry in enumerate(entries):
        suffix = f"_{n}" if timings else ""
        groups += [
            DestinationRate(entry.destination_rates_id, d.id, f"RT_{k % 100}{suffix}", "*up", 4)
            for k, d in enumerate(destinations)
        ]
        groups.append(DestinationRate(entry.destination_rates_id, "*any", f"RT_0{suffix}", "*up", 4))
    profiles = [RatingProfile("default", "call", subject, 0, "RP") for subject in ("*any", *_subjects()[:50])]
    plan = TariffPlan("*shared", timings, destinations, rates, tuple(groups), entries, tuple(profiles))
    return TariffSource((("default", "Europe/Berlin"),), (plan,))


def _subjects() -> list[str]:
    return [f"sub{n}" for n in range(SUBJECTS)]


def _usages(count: int, longest_s: int) -> list[Usage]:
    draw = random.Random(2)
    heads = [prefix for destination in _destinations() for prefix in destination.prefixes]
    numbers = [draw.choice(heads) + str(draw.randrange(10_000)) for _ in range(50_000)]
    subjects = _subjects()
    return [
        Usage(
            "default",
            "call",
            draw.choice(subjects),
            "voice",
            draw.choice(numbers),
            MONTH + timedelta(seconds=draw.randrange(30 * 86_400)),
            draw.randint(1, longest_s),
        )
        for _ in range(count)
    ]


def _measure(rater: Rater, usages: list[Usage]) -> tuple[Measured, Measured]:
    # As the running processes do with a tariff: it is kept anyway, so it need not be looked through for garbage.
    gc.freeze()
    return _rate_all(rater, usages), _rate_all(rater, usages)


def _rate_all(rater: Rater, usages: list[Usage]) -> Measured:
    cost_micros = 0
    rate = rater.rate
    began = time.perf_counter()
    for usage in usages:
        cost_micros += rate(usage)[0]
    return Measured(len(usages), time.perf_counter() - began, cost_micros)


def main(setup: Setup) -> list[Measurement]:
    """Events a second of a Rater that has met its numbers and subjects, and of one that has not; with the memory.

    The promise is the first: a process keeps its Rater for as long as the tariff lasts.
    """
    found = []
    for name, measure, target in (
        ("flat, one slot", flat_events, FLAT_TARGET),
        ("three slots, timed", slotted_events, SLOTTED_TARGET),
    ):
        with setup.measure() as timing:
            cold, warm = measure(setup.scaled(EVENTS))
        if warm.cost_micros <= 0 or warm.cost_micros != cold.cost_micros:
            raise RuntimeError(f"{name}: charged {cold.cost_micros} and then {warm.cost_micros}")
        unit = "events/s a core"
        found += [
            Measurement(name, warm.events_per_s, unit, timing.peak_mb, at_least=target),
            Measurement(f"{name}, first time through", cold.events_per_s, unit, timing.peak_mb),
        ]
    return found
