"""Whether what the tables name exists, and which faults keep nothing from being priced."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import NamedTuple, TypeVar

from apps.kernel.errors import Problem
from apps.rating.domain.source import ANY
from apps.rating.domain.tariff_files.folder_tables import CDR_STATS
from apps.rating.domain.tariff_files.merging import TableRow
from apps.rating.domain.tariff_files.reading import (
    DESTINATION_RATES,
    DESTINATIONS,
    FILES,
    RATES,
    RATING_PLANS,
    RATING_PROFILES,
    TIMINGS,
    TariffFiles,
)
from apps.rating.domain.tariff_files.table import LIVE, Fault, place

_Value = TypeVar("_Value", bound=tuple[object, ...])


class KnownIds(NamedTuple):
    """Ids that are stored already under the same tariff plan."""

    timings: frozenset[str] = frozenset()
    destinations: frozenset[str] = frozenset()
    rates: frozenset[str] = frozenset()
    destination_rates: frozenset[str] = frozenset()
    rating_plans: frozenset[str] = frozenset()


def check_references(
    files: TariffFiles,
    known: KnownIds,
    rows: Sequence[TableRow] = (),
    emptied: AbstractSet[str] = frozenset(),
) -> TariffFiles:
    """The files with a fault for every id that is named but nowhere defined.

    ``rows`` are those of the other tables once the folder is loaded (:func:`merging.merged_rows`), ``emptied`` the
    tables that a flush empties first: rows that stay may name nothing of them that the folder does not bring again.

    A faulty id that prices nothing is left out with a warning instead: one that no rating profile of the folder
    leads to, and that is not stored already (the stored rows would go on being used). In a folder
    without profiles all rating plans count as used, without rating plans all destination rates, and so on.
    """
    faults, warnings = _named_by_rows(files, known, rows, emptied)
    files = replace(files, faults=[*files.faults, *faults], warnings=[*files.warnings, *warnings])
    used = _used_ids(files, rows)
    stored = _by_file(known)
    while True:
        faults = [*files.faults, *_dangling(files, known)]
        unused: dict[str, set[str]] = {name: set() for name in FILES}
        for fault in faults:
            if fault.owner and fault.owner not in used[fault.file] and fault.owner not in stored[fault.file]:
                unused[fault.file].add(fault.owner)
        if not any(unused.values()):
            return replace(files, faults=faults)
        files = _left_out(replace(files, faults=faults), unused)


def _by_file(known: KnownIds) -> Mapping[str, frozenset[str]]:
    return {
        TIMINGS: known.timings,
        DESTINATIONS: known.destinations,
        RATES: known.rates,
        DESTINATION_RATES: known.destination_rates,
        RATING_PLANS: known.rating_plans,
        RATING_PROFILES: frozenset(),
    }


class _Everything(frozenset[str]):
    def __contains__(self, name: object) -> bool:
        return True


def _used_ids(files: TariffFiles, rows: Sequence[TableRow]) -> Mapping[str, frozenset[str]]:
    """By file, the ids that the folder's rating profiles lead to, or rows that are acted on."""
    plan = files.plan
    everything: frozenset[str] = _Everything()
    plans, groups, timings, rates, destinations = (everything,) * 5
    if files.rows.get(RATING_PROFILES):
        plans = frozenset(profile.rating_plan_id for profile in plan.rating_profiles)
    if files.rows.get(RATING_PLANS):
        entries = [entry for entry in plan.rating_plans if entry.id in plans]
        groups = frozenset(entry.destination_rates_id for entry in entries)
        timings = frozenset(entry.timing_id for entry in entries)
    if files.rows.get(DESTINATION_RATES):
        rated = [row for row in plan.destination_rates if row.id in groups]
        rates = frozenset(row.rate_id for row in rated)
        destinations = frozenset(row.destination_id for row in rated)
    named: dict[str, set[str]] = defaultdict(set)
    for _, table, acts, row in rows:
        if acts:
            for _, file, name in row.mentions(table):
                named[file].add(name)
    return {
        TIMINGS: timings if timings is everything else timings | named[TIMINGS],
        DESTINATIONS: destinations if destinations is everything else destinations | named[DESTINATIONS],
        RATES: rates,
        DESTINATION_RATES: groups,
        RATING_PLANS: plans,
        RATING_PROFILES: everything,
    }


def _dangling(files: TariffFiles, known: KnownIds) -> list[Fault]:
    plan = files.plan
    timings = known.timings.union({ANY}, (timing.id for timing in plan.timings))
    destinations = known.destinations.union({ANY}, (row.id for row in plan.destinations))
    rates = known.rates.union(rate.id for rate in plan.rates)
    groups = known.destination_rates.union(row.id for row in plan.destination_rates)
    plans = known.rating_plans.union(row.id for row in plan.rating_plans)
    # A faulty id is reported once, not again at each place that names it.
    told = {(fault.file, fault.owner) for fault in files.faults}
    faults: list[Fault] = []

    def missing(file: str, index: int, owner: str, column: str, named: tuple[str, str, str]) -> None:
        named_file, what, name = named
        if (named_file, name) not in told:
            message = f"{what} “{name}” is defined neither in this folder nor in tariff plan {plan.code}"
            where = place(file, files.lines[file][index], column)
            faults.append(Fault(file, owner, Problem(where, message, "unknown_reference")))

    for index, row in enumerate(plan.destination_rates):
        if row.destination_id not in destinations:
            named = (DESTINATIONS, "destination", row.destination_id)
            missing(DESTINATION_RATES, index, row.id, "DestinationId", named)
        if row.rate_id not in rates:
            missing(DESTINATION_RATES, index, row.id, "RatesTag", (RATES, "rate", row.rate_id))
    for index, entry in enumerate(plan.rating_plans):
        if entry.destination_rates_id not in groups:
            named = (DESTINATION_RATES, "destination rate", entry.destination_rates_id)
            missing(RATING_PLANS, index, entry.id, "DestinationRatesId", named)
        if entry.timing_id not in timings:
            missing(RATING_PLANS, index, entry.id, "TimingTag", (TIMINGS, "timing", entry.timing_id))
    for index, profile in enumerate(plan.rating_profiles):
        if profile.rating_plan_id not in plans:
            named = (RATING_PLANS, "rating plan", profile.rating_plan_id)
            missing(RATING_PROFILES, index, "", "RatingPlanId", named)
    return faults


def _named_by_rows(
    files: TariffFiles, known: KnownIds, rows: Sequence[TableRow], emptied: AbstractSet[str]
) -> tuple[list[Fault], list[Problem]]:
    """Ids that the rows name and that are defined nowhere: faults of tables acted on, warnings of the others."""
    defined: dict[str, set[str]] = defaultdict(set)
    defined[TIMINGS] = {*known.timings, *(timing.id for timing in files.plan.timings)}
    defined[DESTINATIONS] = {*known.destinations, *(row.id for row in files.plan.destinations)}
    for name, table, _, row in rows:
        if len(table.key) == 1:
            defined[name].update(row.key(table))
    warnings = [
        Problem(
            place(RATING_PROFILES, line, "CdrStatQueueIds"),
            f"“{queue}” is neither in {CDR_STATS}.csv nor in tariff plan {files.plan.code}",
            "unknown_reference",
        )
        for profile, line in zip(
            files.plan.rating_profiles, files.lines.get(RATING_PROFILES, ()), strict=False
        )
        for queue in profile.cdr_stat_queues
        if queue not in defined[CDR_STATS]
    ]
    # Each unknown id is reported once, at its first use.
    told: set[tuple[bool, str, str]] = set()
    faults: list[Fault] = []
    for _, table, acts, row in rows:
        for column, file, named in row.mentions(table):
            if named in defined[file] or (acts, file, named) in told:
                continue
            if row.line == LIVE and not (acts and file in emptied):
                continue
            told.add((acts, file, named))
            message = f"“{named}” is neither in {file}.csv nor in tariff plan {files.plan.code}"
            problem = row.problem(column, message, "unknown_reference")
            if acts:
                faults.append(Fault(row.file, "", problem))
            else:
                warnings.append(problem)
    return faults, warnings


def _left_out(files: TariffFiles, unused: Mapping[str, set[str]]) -> TariffFiles:
    """The files without the ids in ``unused``; their faults become warnings."""
    warnings = list(files.warnings)
    faults = []
    for fault in files.faults:
        if fault.owner and fault.owner in unused[fault.file]:
            where, message, code = fault.problem.where, fault.problem.message, fault.problem.code
            warnings.append(Problem(where, f"{message}; {fault.owner} is left out, nothing uses it", code))
        else:
            faults.append(fault)
    lines = dict(files.lines)

    def kept(file: str, values: tuple[_Value, ...]) -> tuple[_Value, ...]:
        indexes = [index for index, value in enumerate(values) if value[0] not in unused[file]]
        lines[file] = [files.lines[file][index] for index in indexes]
        return tuple(values[index] for index in indexes)

    plan = files.plan._replace(
        timings=kept(TIMINGS, files.plan.timings),
        destinations=kept(DESTINATIONS, files.plan.destinations),
        rates=kept(RATES, files.plan.rates),
        destination_rates=kept(DESTINATION_RATES, files.plan.destination_rates),
        rating_plans=kept(RATING_PLANS, files.plan.rating_plans),
    )
    return replace(files, plan=plan, lines=lines, faults=faults, warnings=warnings)
