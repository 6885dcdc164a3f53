"""A tariff plan as the CSV files that it can be loaded from again."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import UTC, datetime

from apps.kernel.errors import Problem
from apps.kernel.units import SECONDS_PER_DAY, figure
from apps.rating.domain import source as src
from apps.rating.domain.source import ANY
from apps.rating.domain.tariff_files import fields
from apps.rating.domain.tariff_files.reading import (
    DESTINATION_RATES,
    DESTINATIONS,
    FILES,
    LAYOUTS,
    RATES,
    RATING_PLANS,
    RATING_PROFILES,
    TIMINGS,
)


def write_tariff_files(plan: src.TariffPlan) -> tuple[dict[str, str], list[Problem]]:
    """The text of each file by its name without ``.csv``; reading them gives the same plan.

    The problems name what no file can say: destinations without a prefix, and the rates of those.
    """
    empty = {destination.id for destination in plan.destinations if not destination.prefixes}
    problems = [
        Problem(DESTINATIONS, f"{name} has no prefix, so neither it nor its rates are written", "no_prefix")
        for name in sorted(empty)
    ]
    rows: dict[str, Iterable[tuple[object, ...]]] = {
        TIMINGS: (
            (t.id, *map(_list, (t.years, t.months, t.month_days, t.weekdays)), _time_band(t.start_s, t.end_s))
            for t in plan.timings
        ),
        DESTINATIONS: (
            (destination.id, prefix) for destination in plan.destinations for prefix in destination.prefixes
        ),
        RATES: (
            (
                rate.id,
                slot.connect_fee,
                slot.rate,
                *(figure(n, rate.nanoseconds) for n in (slot.unit, slot.increment, slot.group_start)),
            )
            for rate in plan.rates
            for slot in rate.slots
        ),
        DESTINATION_RATES: (row for row in plan.destination_rates if row.destination_id not in empty),
        RATING_PLANS: plan.rating_plans,
        RATING_PROFILES: (
            (
                fields.OUT,
                profile.tenant,
                profile.category,
                profile.subject,
                _activation(profile.activation_epoch),
                profile.rating_plan_id,
                fields.LIST_SEPARATOR.join(profile.fallback_subjects),
                fields.LIST_SEPARATOR.join(profile.cdr_stat_queues),
            )
            for profile in plan.rating_profiles
        ),
    }
    return {name: write_table(LAYOUTS[name][0].columns, rows[name]) for name in FILES}, problems


def write_table(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A table with its headings."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    # A row that begins with “#” would be a comment.
    quoting = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(columns)
    for row in rows:
        cells = tuple(row)
        (quoting if str(cells[0]).startswith("#") else writer).writerow(cells)
    return text.getvalue()


def _list(numbers: tuple[int, ...]) -> str:
    return fields.LIST_SEPARATOR.join(map(str, numbers)) or ANY


def _time_band(start_s: int, end_s: int) -> str:
    start = _clock(start_s)
    return start if end_s == SECONDS_PER_DAY else f"{start}{fields.LIST_SEPARATOR}{_clock(end_s)}"


def _clock(second: int) -> str:
    return f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"


def _activation(epoch: int) -> str:
    return f"{datetime.fromtimestamp(epoch, UTC):%Y-%m-%dT%H:%M:%SZ}" if epoch else fields.ASAP
