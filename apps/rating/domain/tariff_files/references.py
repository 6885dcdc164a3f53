"""Whether what the tables name exists, in the folder or among what was loaded before."""

from __future__ import annotations

from typing import NamedTuple

from apps.kernel.errors import Problem
from apps.rating.domain.source import ANY
from apps.rating.domain.tariff_files.reading import (
    DESTINATION_RATES,
    RATING_PLANS,
    RATING_PROFILES,
    TariffFiles,
)
from apps.rating.domain.tariff_files.table import place


class KnownIds(NamedTuple):
    """Ids that are stored already under the same tariff plan."""

    timings: frozenset[str] = frozenset()
    destinations: frozenset[str] = frozenset()
    rates: frozenset[str] = frozenset()
    destination_rates: frozenset[str] = frozenset()
    rating_plans: frozenset[str] = frozenset()


def check_references(files: TariffFiles, known: KnownIds) -> list[Problem]:
    """A problem for every id that is named but nowhere defined."""
    plan = files.plan
    timings = known.timings.union({ANY}, (timing.id for timing in plan.timings))
    destinations = known.destinations.union({ANY}, (row.id for row in plan.destinations))
    rates = known.rates.union(rate.id for rate in plan.rates)
    groups = known.destination_rates.union(row.id for row in plan.destination_rates)
    plans = known.rating_plans.union(row.id for row in plan.rating_plans)
    problems: list[Problem] = []

    def missing(file: str, index: int, column: str, what: str, name: str) -> None:
        where = place(f"{file}.csv", files.lines[file][index], column)
        message = f"{what} “{name}” is defined neither in this folder nor in tariff plan {plan.code}"
        problems.append(Problem(where, message, "unknown_reference"))

    for index, row in enumerate(plan.destination_rates):
        if row.destination_id not in destinations:
            missing(DESTINATION_RATES, index, "DestinationId", "destination", row.destination_id)
        if row.rate_id not in rates:
            missing(DESTINATION_RATES, index, "RatesTag", "rate", row.rate_id)
    for index, entry in enumerate(plan.rating_plans):
        if entry.destination_rates_id not in groups:
            missing(RATING_PLANS, index, "DestinationRatesId", "destination rate", entry.destination_rates_id)
        if entry.timing_id not in timings:
            missing(RATING_PLANS, index, "TimingTag", "timing", entry.timing_id)
    for index, profile in enumerate(plan.rating_profiles):
        if profile.rating_plan_id not in plans:
            missing(RATING_PROFILES, index, "RatingPlanId", "rating plan", profile.rating_plan_id)
    return problems
