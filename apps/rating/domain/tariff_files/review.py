"""Likely mistakes in a valid tariff: unused ids, ties, gaps in time, caps without effect."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, timedelta
from types import MappingProxyType

from apps.kernel.errors import Problem
from apps.kernel.units import SECONDS_PER_DAY
from apps.rating.domain import source as src
from apps.rating.domain.source import ANY
from apps.rating.domain.tariff_files.folder_tables import ACTION_PLANS, FOLDER_TABLES, LCR_RULES
from apps.rating.domain.tariff_files.merging import TableRow, merged
from apps.rating.domain.tariff_files.reading import (
    DESTINATION_RATES,
    DESTINATIONS,
    RATES,
    RATING_PLANS,
    RATING_PROFILES,
    TIMINGS,
    TariffFiles,
)
from apps.rating.domain.tariff_files.table import LIVE, place
from apps.rating.domain.timings import applies_on

_DAYS_REVIEWED = 4 * 366
# Tables of which others name ids.
_REFERRED_TO = {file for table in FOLDER_TABLES.values() for file in table.refers.values()}


def review(
    files: TariffFiles,
    first_day: date,
    live: src.TariffPlan | None = None,
    rows: Sequence[TableRow] = (),
    used: Mapping[str, AbstractSet[str]] = MappingProxyType({}),
) -> list[Problem]:
    """Warnings about a folder that reads without problems; timings are tried on four years from ``first_day``.

    ``live`` is what the tariff plan holds already, ``rows`` are those of the other tables once the folder
    is loaded, ``used`` (by table) ids that something outside of the folder uses. Findings that only concern live
    rows are left out.
    """
    files = merged(live or src.TariffPlan(files.plan.code), files)
    findings = (
        *_unused(files, rows, used),
        *_unrated_prefixes(files),
        *_shared_prefixes(files),
        *_caps(files),
        *_unknown_fallbacks(files),
        *_unknown_categories(files, rows),
        *_timing_gaps_and_ties(files, first_day),
        *_actions_run_twice(files, rows, first_day),
    )
    return [finding for finding in findings if finding is not None]


def _warn(files: TariffFiles, file: str, index: int, column: str, message: str, code: str) -> Problem | None:
    line = files.lines[file][index]
    return None if line == LIVE else Problem(place(file, line, column), message, code)


def _unused(
    files: TariffFiles, rows: Sequence[TableRow], used_elsewhere: Mapping[str, AbstractSet[str]]
) -> Iterator[Problem | None]:
    plan = files.plan
    named: dict[str, set[str]] = defaultdict(set)
    for table_row in rows:
        for _, file, name in table_row.row.mentions(table_row.table):
            named[file].add(name)
    for file, names in used_elsewhere.items():
        named[file] |= names
    used_timings = {entry.timing_id for entry in plan.rating_plans} | named[TIMINGS]
    used_destinations = {row.destination_id for row in plan.destination_rates} | named[DESTINATIONS]
    used_rates = {row.rate_id for row in plan.destination_rates}
    used_groups = {entry.destination_rates_id for entry in plan.rating_plans}
    used_plans = {profile.rating_plan_id for profile in plan.rating_profiles}
    tables: tuple[tuple[str, str, str, Iterable[tuple[object, ...]], set[str]], ...] = (
        (TIMINGS, "Tag", "timing", plan.timings, used_timings),
        (DESTINATIONS, "Id", "destination", plan.destinations, used_destinations),
        (RATES, "Id", "rate", plan.rates, used_rates),
        (DESTINATION_RATES, "Id", "destination rate", plan.destination_rates, used_groups),
        (RATING_PLANS, "Id", "rating plan", plan.rating_plans, used_plans),
    )
    for file, column, what, values, used in tables:
        told: set[str] = set()
        for index, value in enumerate(values):
            name = str(value[0])
            if name not in used and name not in told:
                told.add(name)
                yield _warn(files, file, index, column, f"{what} {name} is used by nothing", "unused")
    for name, table, _, row in rows:
        if name in _REFERRED_TO and row.line != LIVE:
            (own,) = row.key(table)
            if own not in named[name]:
                named[name].add(own)
                yield row.problem(table.key[0], f"{own} is used by nothing", "unused")


def _unrated_prefixes(files: TariffFiles) -> Iterator[Problem | None]:
    """Prefixes of destinations that no rating plan leads to, and what a call to one costs instead."""
    plan = files.plan
    groups = {entry.destination_rates_id for entry in plan.rating_plans}
    rated = {row.destination_id for row in plan.destination_rates if row.id in groups}
    prefixes = {
        prefix.removeprefix("+")
        for destination in plan.destinations
        if destination.id in rated
        for prefix in destination.prefixes
    }
    for index, destination in enumerate(plan.destinations):
        if destination.id in rated:
            continue
        without = [p for p in destination.prefixes if p.removeprefix("+") not in prefixes]
        if not without:
            continue
        shorter = _longest_rated(without[0].removeprefix("+"), prefixes)
        instead = f"is priced as {shorter or ANY}" if shorter or ANY in rated else "is refused"
        more = f" and {len(without) - 1:,} more of it" if len(without) > 1 else ""
        yield _warn(
            files,
            DESTINATIONS,
            index,
            "Prefix",
            f"prefix {without[0]}{more} has no rate, as no rating plan has one for destination "
            f"{destination.id}: usage to {without[0]} {instead}",
            "prefix_without_rate",
        )


def _longest_rated(number: str, prefixes: set[str]) -> str:
    return next((number[:end] for end in range(len(number) - 1, 0, -1) if number[:end] in prefixes), "")


def _shared_prefixes(files: TariffFiles) -> Iterator[Problem | None]:
    """Prefixes in several destinations of equal weight: the first in the plan would win, by chance."""
    owners: dict[str, list[int]] = defaultdict(list)
    for index, destination in enumerate(files.plan.destinations):
        for prefix in destination.prefixes:
            owners[prefix.removeprefix("+")].append(index)
    weights: dict[str, dict[str, str]] = defaultdict(dict)
    groups: dict[str, list[str]] = defaultdict(list)
    for row in files.plan.destination_rates:
        groups[row.id].append(row.destination_id)
    for entry in files.plan.rating_plans:
        for destination_id in groups[entry.destination_rates_id]:
            known = weights[entry.id].get(destination_id)
            if known is None or float(entry.weight) > float(known):
                weights[entry.id][destination_id] = entry.weight
    told: set[tuple[str, str]] = set()
    for prefix, indexes in owners.items():
        if len(indexes) < 2:
            continue
        names = [files.plan.destinations[index].id for index in indexes]
        for plan_id, by_destination in weights.items():
            tied = [(by_destination[name], name) for name in names if name in by_destination]
            top = max(tied, key=lambda pair: float(pair[0]), default=None)
            rivals = [name for weight, name in tied if top and float(weight) == float(top[0])]
            if len(rivals) > 1 and (rivals[0], rivals[1]) not in told:
                told.add((rivals[0], rivals[1]))
                yield _warn(
                    files,
                    DESTINATIONS,
                    max(indexes, key=lambda index: files.lines[DESTINATIONS][index] > LIVE),
                    "Prefix",
                    f"prefix {prefix} is in {' and '.join(rivals)}, which have the same weight in rating plan "
                    f"{plan_id}; give one a higher weight",
                    "overlap",
                )


def _caps(files: TariffFiles) -> Iterator[Problem | None]:
    for index, row in enumerate(files.plan.destination_rates):
        if row.max_cost != "0" and not row.max_cost_strategy:
            message = (
                f"the maximum cost {row.max_cost} has no effect without a strategy (*free or *disconnect)"
            )
            yield _warn(files, DESTINATION_RATES, index, "MaxCostStrategy", message, "no_effect")


def _unknown_fallbacks(files: TariffFiles) -> Iterator[Problem | None]:
    profiles = files.plan.rating_profiles
    known = {profile[:3] for profile in profiles}
    for index, profile in enumerate(profiles):
        for subject in profile.fallback_subjects:
            if (profile.tenant, profile.category, subject) not in known:
                message = f"fallback subject {subject} has no profile of category {profile.category}"
                yield _warn(
                    files, RATING_PROFILES, index, "RatesFallbackSubject", message, "unknown_fallback"
                )


def _unknown_categories(files: TariffFiles, rows: Sequence[TableRow]) -> Iterator[Problem]:
    """LCR rules that take the suppliers' rates from a category without a profile."""
    known = {profile.category for profile in files.plan.rating_profiles}
    for name, _, _, row in rows:
        category = row.cells.get("RPCategory", "")
        if name == LCR_RULES and row.line != LIVE and category not in known:
            message = f"no rating profile has the category {category}, which should have the suppliers' rates"
            yield row.problem("RPCategory", message, "unknown_reference")


def _timing_gaps_and_ties(files: TariffFiles, first_day: date) -> Iterator[Problem | None]:
    """For each rating plan and destination: times of no rate, and timings of which neither wins by rule."""
    timings = {ANY: src.Timing(ANY)} | {timing.id: timing for timing in files.plan.timings}
    by_group: dict[str, list[str]] = defaultdict(list)
    for row in files.plan.destination_rates:
        by_group[row.id].append(row.destination_id)
    timing_rows = {timing.id: index for index, timing in enumerate(files.plan.timings)}
    patterns: dict[tuple[str, tuple[tuple[str, str], ...]], str] = {}
    first_lines: dict[str, int] = {}
    entries: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for index, entry in enumerate(files.plan.rating_plans):
        first_lines.setdefault(entry.id, index)
        if entry.timing_id in timings:
            for destination_id in by_group[entry.destination_rates_id]:
                entries[entry.id, destination_id].append((entry.timing_id, entry.weight))
    for (plan_id, destination_id), pattern in entries.items():
        patterns.setdefault((plan_id, tuple(pattern)), destination_id)
    for (plan_id, pattern_of), destination_id in patterns.items():
        weighted = [(timings[timing_id], float(weight)) for timing_id, weight in pattern_of]
        for code, message in _first_gap_and_tie(weighted, first_day):
            text = f"rating plan {plan_id}, destination {destination_id}: {message}"
            told = _warn(files, RATING_PLANS, first_lines[plan_id], "TimingTag", text, code)
            of_timings = (
                _warn(files, TIMINGS, timing_rows[timing_id], "Time", text, code)
                for timing_id, _ in pattern_of
                if timing_id in timing_rows
            )
            # A live rating plan is told of where the folder changes one of its timings.
            yield told or next((problem for problem in of_timings if problem), None)


def _first_gap_and_tie(
    weighted: list[tuple[src.Timing, float]], first_day: date
) -> Iterator[tuple[str, str]]:
    if any(not any(timing[1:5]) and timing[5:] == (0, SECONDS_PER_DAY) for timing, _ in weighted):
        gap_told = True  # One timing holds always, so there is no gap.
    else:
        gap_told = False
    tie_told = len(weighted) < 2
    for ahead in range(_DAYS_REVIEWED):
        if gap_told and tie_told:
            return
        day = first_day + timedelta(days=ahead)
        today = [(timing, weight) for timing, weight in weighted if applies_on(timing, day)]
        cuts = sorted({0, *(timing.start_s for timing, _ in today), *(timing.end_s for timing, _ in today)})
        for cut in cuts:
            if cut >= SECONDS_PER_DAY:
                continue
            current = [(w, t.start_s, t.id) for t, w in today if t.start_s <= cut < t.end_s]
            clock = f"{day} at {cut // 3600:02d}:{cut // 60 % 60:02d}:{cut % 60:02d}"
            if not current and not gap_told:
                gap_told = True
                yield "gap", f"no timing applies on {clock}; add one, or {ANY} with a low weight"
            if current and not tie_told:
                best = max(current)
                rivals = [timing_id for weight, start, timing_id in current if (weight, start) == best[:2]]
                if len(rivals) > 1:
                    tie_told = True
                    yield (
                        "overlap",
                        f"on {clock} timings {' and '.join(rivals)} have the same weight and start; the first wins",
                    )


def _actions_run_twice(files: TariffFiles, rows: Sequence[TableRow], first_day: date) -> Iterator[Problem]:
    """Actions that an action plan runs at two timings that meet: a top-up would come twice."""
    timings = {timing.id: timing for timing in files.plan.timings}
    earlier: dict[tuple[str, str, int], list[src.Timing]] = defaultdict(list)
    for name, _, _, row in rows:
        timing = timings.get(row.cells.get("TimingId", ""))
        if name != ACTION_PLANS or timing is None:
            continue
        others = earlier[row.cells["Id"], row.cells["ActionsId"], timing.start_s]
        for other in others if row.line != LIVE else ():
            days = (first_day + timedelta(days=ahead) for ahead in range(_DAYS_REVIEWED))
            day = next((day for day in days if applies_on(timing, day) and applies_on(other, day)), None)
            if day is not None:
                message = f"{row.cells['ActionsId']} runs at {other.id} and {timing.id} alike on {day}: it runs twice"
                yield row.problem("TimingId", message, "overlap")
        others.append(timing)
