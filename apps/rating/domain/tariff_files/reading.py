"""The six tables of prices read into the values of a tariff, each with its line."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from zoneinfo import ZoneInfo

from apps.kernel.errors import Problem
from apps.kernel.rounding import RoundingMethod
from apps.kernel.units import NANO, format_nanoseconds
from apps.rating.domain import source as src
from apps.rating.domain.source import ANY
from apps.rating.domain.tariff_files import fields, times
from apps.rating.domain.tariff_files.folder_rows import NO_PARTS, FolderFile, FolderRows, read_folder_rows
from apps.rating.domain.tariff_files.table import Fault, Layout, Row, TableReader

TIMINGS, DESTINATIONS, RATES = "Timings", "Destinations", "Rates"
DESTINATION_RATES, RATING_PLANS, RATING_PROFILES = "DestinationRates", "RatingPlans", "RatingProfiles"
FILES = (TIMINGS, DESTINATIONS, RATES, DESTINATION_RATES, RATING_PLANS, RATING_PROFILES)

_ID_ALIASES = {"Tag": "Id", "Tpid": "Id"}
_PROFILE_COLUMNS = ("Tenant", "Category", "Subject", "ActivationTime", "RatingPlanId", "RatesFallbackSubject")
_PROFILE_ALIASES = {"RatingPlanTag": "RatingPlanId", "FallbackSubjects": "RatesFallbackSubject"}
LAYOUTS: Mapping[str, tuple[Layout, ...]] = {
    TIMINGS: (Layout(("Tag", "Years", "Months", "MonthDays", "WeekDays", "Time"), 0, {"Id": "Tag"}),),
    DESTINATIONS: (Layout(("Id", "Prefix"), 0, _ID_ALIASES),),
    RATES: (
        Layout(
            ("Id", "ConnectFee", "Rate", "RateUnit", "RateIncrement", "GroupIntervalStart"), 0, _ID_ALIASES
        ),
    ),
    DESTINATION_RATES: (
        Layout(
            (
                "Id",
                "DestinationId",
                "RatesTag",
                "RoundingMethod",
                "RoundingDecimals",
                "MaxCost",
                "MaxCostStrategy",
            ),
            2,
            _ID_ALIASES
            | {"DestinationsTag": "DestinationId", "DestinationTag": "DestinationId", "RatesId": "RatesTag"},
        ),
    ),
    RATING_PLANS: (
        Layout(
            ("Id", "DestinationRatesId", "TimingTag", "Weight"),
            0,
            _ID_ALIASES | {"DestinationRatesTag": "DestinationRatesId", "TimingId": "TimingTag"},
        ),
    ),
    # Newer files lack the direction and the queues of CDR statistics; neither changes a price, the queues are kept.
    RATING_PROFILES: (
        Layout(
            ("Direction", *_PROFILE_COLUMNS, "CdrStatQueueIds"),
            2,
            _PROFILE_ALIASES,
            ("", fields.OUT, fields.IN),
        ),
        Layout((*_PROFILE_COLUMNS, "CdrStatQueueIds"), 2, _PROFILE_ALIASES),
    ),
}


# The column that names what a row belongs to; profiles have no id.
_OWNER_COLUMNS = {name: "Tag" if name == TIMINGS else "Id" for name in FILES if name != RATING_PROFILES}


@dataclass
class TariffFiles:
    """What reading gives: the tariff plan, the lines of its values, rows by file, faults and warnings."""

    plan: src.TariffPlan
    lines: dict[str, list[int]] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    others: FolderRows = field(default_factory=FolderRows)

    @property
    def problems(self) -> list[Problem]:
        """What keeps the files from being loaded."""
        return [fault.problem for fault in self.faults]

    def tenants(self) -> tuple[str, ...]:
        """The tenants that the profiles and the rows acted on name, in their order."""
        profiles = (profile.tenant for profile in self.plan.rating_profiles)
        rows = (
            row for name in self.others.rows if name in self.others.acting for row in self.others.rows[name]
        )
        named = (row.values["Tenant"] for row in rows if "Tenant" in row.values)
        return tuple(dict.fromkeys(code for code in (*profiles, *named) if not code.startswith("*")))


class _Once:
    """Tells first rows from repeated ones; a repetition that says something else is a problem."""

    def __init__(self, reader: TableReader, column: str, what: str) -> None:
        self.reader, self.column, self.what = reader, column, what
        self.seen: dict[Hashable, tuple[object, int]] = {}

    def is_new(self, row: Row, key: Hashable, value: object) -> bool:
        first = self.seen.get(key)
        if first is None:
            self.seen[key] = (value, row.line)
            return True
        if first[0] != value:
            self.reader.fault(
                row,
                self.column,
                f"{self.what} stands in line {first[1]} with other values; keep one",
                "duplicate",
            )
        return False


def read_tariff_files(
    files: Mapping[str, bytes],
    *,
    plan_code: str,
    tenant: str | None = None,
    zones: Mapping[str, ZoneInfo] | None = None,
    unknown: tuple[str, ...] = (),
    parts: Mapping[str, FolderFile] = NO_PARTS,
) -> TariffFiles:
    """Read the files given (by name without ``.csv``); those absent count as empty.

    ``parts`` are the tables beside those of prices, by file name; those that the product does not act on, and the
    ``unknown`` files, are named in the warnings. ``tenant`` takes the place of the tenants in the rows. ``zones`` are
    the tenants' time zones, for activation times without one; UTC if a tenant is new.
    """
    result = TariffFiles(src.TariffPlan(plan_code))
    readers: dict[str, Callable[[TableReader, Iterable[Row], list[int]], tuple[object, ...]]] = {
        TIMINGS: _timings,
        DESTINATIONS: _destinations,
        RATES: _rates,
        DESTINATION_RATES: _destination_rates,
        RATING_PLANS: _rating_plans,
        RATING_PROFILES: partial(_rating_profiles, tenant=tenant, zones=zones or {}),
    }
    values: list[tuple[object, ...]] = []
    for name in FILES:
        reader = TableReader(name, _OWNER_COLUMNS.get(name, ""))
        lines: list[int] = []
        counter = _Counter()
        rows = counter.count(reader.rows(files.get(name, b""), LAYOUTS[name]))
        values.append(readers[name](reader, rows, lines))
        result.lines[name] = lines
        result.rows[name] = counter.rows
        result.faults += reader.faults
        result.warnings += reader.warnings
    result.plan = src.TariffPlan(plan_code, *values)  # type: ignore[arg-type]
    result.others = read_folder_rows(files, parts, tenant=tenant, unknown=unknown)
    result.faults += result.others.faults
    # Whole files first: a long list of warnings is cut at its end.
    result.warnings = [*result.others.files, *result.warnings, *result.others.warnings]
    return result


def sorted_out(
    names: Iterable[str], parts: Mapping[str, FolderFile] = NO_PARTS
) -> tuple[list[str], list[str]]:
    """Of the names of a folder's files: those of tariff tables (without ``.csv``), and the others."""
    known, others = [], []
    for name in sorted(names):
        table = name.removesuffix(".csv")
        if table != name and (table in FILES or table in parts):
            known.append(table)
        elif not name.startswith("."):
            others.append(name)
    return known, others


class _Counter:
    def __init__(self) -> None:
        self.rows = 0

    def count(self, rows: Iterable[Row]) -> Iterable[Row]:
        for row in rows:
            self.rows += 1
            yield row


def _timings(reader: TableReader, rows: Iterable[Row], lines: list[int]) -> tuple[src.Timing, ...]:
    once = _Once(reader, "Tag", "this timing")
    timings = []
    for row in rows:
        tag = reader.field(row, "Tag", fields.reference)
        years = reader.field(row, "Years", times.number_list(1970, 9000))
        months = reader.field(row, "Months", times.number_list(1, 12))
        month_days = reader.field(row, "MonthDays", times.number_list(1, 31))
        weekdays = reader.field(row, "WeekDays", times.weekdays)
        band = reader.field(row, "Time", times.time_band)
        if tag is None or years is None or months is None or month_days is None:
            continue
        if weekdays is None or band is None:
            continue
        timing = src.Timing(tag, years, months, month_days, weekdays, *band)
        if tag in (ANY, fields.ASAP):
            if timing != src.Timing(tag):
                reader.fault(row, "Tag", f"{tag} always means any time; choose another tag")
        elif once.is_new(row, tag, timing):
            timings.append(timing)
            lines.append(row.line)
    return tuple(timings)


def _destinations(reader: TableReader, rows: Iterable[Row], lines: list[int]) -> tuple[src.Destination, ...]:
    known_prefixes: dict[str, dict[str, None]] = {}
    for row in rows:
        tag = row.cells.get("Id")
        if tag not in known_prefixes:
            tag = reader.field(row, "Id", fields.reference)
        prefixes = reader.field(row, "Prefix", fields.prefixes)
        if tag == ANY:
            reader.fault(row, "Id", f"{ANY} means every number and needs no prefix; choose another id")
        elif tag is not None and prefixes is not None:
            own = known_prefixes.get(tag)
            if own is None:
                own = known_prefixes[tag] = {}
                lines.append(row.line)
            for prefix in prefixes:
                own[prefix] = None
    return tuple(src.Destination(tag, tuple(own)) for tag, own in known_prefixes.items())


def _rates(reader: TableReader, rows: Iterable[Row], lines: list[int]) -> tuple[src.Rate, ...]:
    once = _Once(reader, "GroupIntervalStart", "a slot with this start")
    slots: dict[str, list[src.RateSlot]] = {}
    first_rows: dict[str, Row] = {}
    for row in rows:
        tag = reader.field(row, "Id", fields.identifier)
        fee = reader.field(row, "ConnectFee", fields.amount)
        rate = reader.field(row, "Rate", fields.amount)
        unit = _at_least_one(reader, row, "RateUnit", "the rate is for each second, octet or event")
        increment = _at_least_one(reader, row, "RateIncrement", "usage is not rounded up")
        start = reader.field(row, "GroupIntervalStart", fields.nanoseconds)
        if tag is None or fee is None or rate is None or unit is None or increment is None or start is None:
            continue
        slot = src.RateSlot(start, fee, rate, unit, increment)
        if once.is_new(row, (tag, start), slot):
            if tag not in slots:
                slots[tag] = []
                first_rows[tag] = row
                lines.append(row.line)
            slots[tag].append(slot)
    for tag, own in slots.items():
        first = min(slot.group_start for slot in own)
        if first > 0:
            reader.warn(
                first_rows[tag],
                "GroupIntervalStart",
                f"rate {tag} has no slot that starts at 0: usage before {_plain(first)} is priced by the slot of "
                f"{_plain(first)}",
                "late_first_slot",
            )
    in_units = tuple(_in_units(tag, own) for tag, own in slots.items())
    for one in in_units:
        if one.nanoseconds and any(
            max(slot.group_start, slot.unit, slot.increment) > fields.MAX_UNITS for slot in one.slots
        ):
            reader.fault(
                first_rows[one.id],
                "Id",
                f"rate {one.id} has a figure finer than a second and another of more than 2^62 nanoseconds",
            )
    return in_units


def _in_units(rate_id: str, slots: list[src.RateSlot]) -> src.Rate:
    """The rate whose figures are in nanoseconds; in whole units if all of them are."""
    whole = [
        slot._replace(
            group_start=slot.group_start // NANO, unit=slot.unit // NANO, increment=slot.increment // NANO
        )
        for slot in slots
        if not (slot.group_start % NANO or slot.unit % NANO or slot.increment % NANO)
    ]
    if len(whole) == len(slots):
        return src.Rate(rate_id, tuple(whole))
    return src.Rate(rate_id, tuple(slots), nanoseconds=True)


def _plain(nanoseconds: int) -> int | str:
    whole, part = divmod(nanoseconds, NANO)
    return format_nanoseconds(nanoseconds) if part else whole


def _at_least_one(reader: TableReader, row: Row, column: str, effect: str) -> int | None:
    """Billionths of units, where 0 and nothing count as 1 unit (CGRateS: ``GetRateParameters`` takes 1 s for 0)."""
    number = reader.field(row, column, fields.nanoseconds)
    if number == 0:
        reader.warn(row, column, f"“{row.cells[column]}” counts as 1: {effect}", "zero_units")
        return NANO
    return number


def _destination_rates(
    reader: TableReader, rows: Iterable[Row], lines: list[int]
) -> tuple[src.DestinationRate, ...]:
    once = _Once(reader, "DestinationId", "this destination")
    result = []
    for row in rows:
        tag = reader.field(row, "Id", fields.identifier)
        destination = reader.field(row, "DestinationId", fields.reference)
        rate = reader.field(row, "RatesTag", fields.identifier)
        method = reader.field(row, "RoundingMethod", fields.rounding_method)
        decimals = reader.field(row, "RoundingDecimals", fields.rounding_decimals)
        max_cost = reader.field(row, "MaxCost", fields.max_cost, "0")
        strategy = reader.field(row, "MaxCostStrategy", fields.max_cost_strategy, "")
        if tag is None or destination is None or rate is None or method is None:
            continue
        if decimals is None or max_cost is None or strategy is None:
            continue
        if method == fields.NONE:
            method, decimals = RoundingMethod.MIDDLE.value, 0
        value = src.DestinationRate(tag, destination, rate, method, decimals, max_cost, strategy)
        if once.is_new(row, (tag, destination), value):
            result.append(value)
            lines.append(row.line)
    return tuple(result)


def _rating_plans(
    reader: TableReader, rows: Iterable[Row], lines: list[int]
) -> tuple[src.RatingPlanEntry, ...]:
    seen: set[src.RatingPlanEntry] = set()
    result = []
    for row in rows:
        tag = reader.field(row, "Id", fields.identifier)
        group = reader.field(row, "DestinationRatesId", fields.identifier)
        timing = reader.field(row, "TimingTag", fields.timing)
        weight = reader.field(row, "Weight", fields.weight)
        if tag is None or group is None or timing is None or weight is None:
            continue
        entry = src.RatingPlanEntry(tag, group, timing, weight)
        if entry not in seen:
            seen.add(entry)
            result.append(entry)
            lines.append(row.line)
    return tuple(result)


def _rating_profiles(
    reader: TableReader,
    rows: Iterable[Row],
    lines: list[int],
    *,
    tenant: str | None,
    zones: Mapping[str, ZoneInfo],
) -> tuple[src.RatingProfile, ...]:
    """A profile for each category and subject of a row."""
    once = _Once(reader, "ActivationTime", "this activation")
    utc = ZoneInfo("UTC")
    result = []
    for row in rows:
        direction = reader.field(row, "Direction", fields.direction, fields.OUT)
        if direction == fields.IN:
            reader.warn(row, "Direction", f"only {fields.OUT} is priced: this row is left out", "no_effect")
            continue
        named = tenant if tenant is not None else reader.field(row, "Tenant", fields.tenant)
        categories = reader.field(row, "Category", fields.categories)
        subjects = reader.field(row, "Subject", fields.profile_subjects)
        zone = zones.get(named or "", utc)
        activation = reader.field(row, "ActivationTime", partial(times.activation, zone=zone))
        plan = reader.field(row, "RatingPlanId", fields.identifier)
        fallbacks = reader.field(row, "RatesFallbackSubject", fields.fallback_subjects, "")
        queues = reader.field(row, "CdrStatQueueIds", fields.queues, "")
        if direction is None or named is None or categories is None or subjects is None:
            continue
        if activation is None or plan is None or fallbacks is None or queues is None:
            continue
        if ANY in categories:
            reader.warn(
                row,
                "Category",
                f"{ANY} prices no other category: name each category of the usage",
                "no_effect",
            )
        for category, subject in product(categories, subjects):
            profile = src.RatingProfile(named, category, subject, activation, plan, fallbacks, queues)
            if once.is_new(row, profile[:4], profile):
                result.append(profile)
                lines.append(row.line)
    return tuple(result)
