"""The tables of a tariff folder that the product does not act on yet: read, checked and named, not stored.

A row of them can stop no price, so its faults are warnings with their places.
Sources of the columns: CGRateS v0.9 ``engine/models.go`` and ``data/tariffplans``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from zoneinfo import ZoneInfo

from apps.kernel.errors import InvalidInput, Problem
from apps.kernel.units import parse_usage_units
from apps.rating.domain.source import ANY
from apps.rating.domain.tariff_files import fields, times
from apps.rating.domain.tariff_files.table import Layout, Row, TableReader, place

Check = Callable[[str], object]
TIMINGS, DESTINATIONS = "Timings", "Destinations"
SHARED_GROUPS, ACTIONS, ACTION_PLANS = "SharedGroups", "Actions", "ActionPlans"
ACTION_TRIGGERS, ACCOUNT_ACTIONS = "ActionTriggers", "AccountActions"

_FLAGS = ("", "0", "1", "t", "f", "true", "false", ANY)
_STRATEGIES = ("lowest", "highest", "random", "mine_lowest", "mine_highest", "mine_random")
_DURATION = re.compile(r"[+-]?(?:\d+|(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+)", re.ASCII)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?", re.ASCII)


def _text(text: str) -> str:
    return text


def _id(text: str) -> str:
    return fields.reference(text)


def _ids(text: str) -> tuple[str, ...]:
    """Ids split by semicolons, perhaps none; “!” before one excludes it."""
    parts = (part.strip().removeprefix("!") for part in text.split(fields.LIST_SEPARATOR))
    return tuple(fields.reference(part) for part in parts if part)


def _flag(text: str) -> str:
    if text.casefold() not in _FLAGS:
        raise InvalidInput(f"“{text}” is neither true nor false")
    return text


def _direction(text: str) -> str:
    if fields.keyword(text) not in ("", ANY, fields.OUT, fields.IN):
        raise InvalidInput(f"“{text}” is not a direction; write {fields.OUT}")
    return text


def _weight(text: str) -> str:
    return fields.weight("" if fields.keyword(text) == ANY else text)


def _number(text: str) -> str:
    if text and _NUMBER.fullmatch(text) is None:
        raise InvalidInput(f"“{text}” is not a number")
    return text


def _units(text: str) -> str:
    """Units of a balance: a number, a duration, a formula in JSON, ``*unlimited`` or nothing."""
    if text.startswith(("{", "*")) or not text or _NUMBER.fullmatch(text):
        return text
    return _duration(text)


def _duration(text: str) -> str:
    if text and _DURATION.fullmatch(text) is None:
        try:
            parse_usage_units(text)
        except InvalidInput:
            raise InvalidInput(f"“{text}” is not a duration; write it like 90, 90s or 1m30s") from None
    return text


def _instant(text: str) -> str:
    """An instant, a duration from now (``+24h``) or a keyword such as ``*monthly`` or ``*unlimited``."""
    if not text.startswith("*") and _DURATION.fullmatch(text) is None:
        times.activation(text, ZoneInfo("UTC"))
    return text


def _strategy(text: str) -> str:
    if fields.keyword(text).removeprefix("*") not in _STRATEGIES:
        raise InvalidInput(f"“{text}” is not a strategy; use *{', *'.join(_STRATEGIES)}")
    return text


def _threshold(text: str) -> str:
    if not text.startswith("*"):
        raise InvalidInput(f"“{text}” is not a threshold type; write one such as *min_balance")
    return text


class UnusedTable(NamedTuple):
    """Columns with their checks. ``refers`` names the file whose ids a column holds; ``id`` is the own id's column."""

    columns: Mapping[str, Check]
    optional: int = 0
    id: str = ""
    refers: Mapping[str, str] = {}


_KEY: dict[str, Check] = {
    "Direction": _direction,
    "Tenant": _id,
    "Category": _ids,
    "Account": _ids,
    "Subject": _ids,
}
_DERIVED = UnusedTable(
    _KEY
    | {"DestinationIds": _ids, "RunId": _id, "RunFilter": _text}
    | dict.fromkeys(
        (
            *("ReqTypeField", "DirectionField", "TenantField", "CategoryField", "AccountField"),
            *("SubjectField", "DestinationField", "SetupTimeField", "PddField", "AnswerTimeField"),
            *("UsageField", "SupplierField", "DisconnectCause", "CostField", "RatedField"),
        ),
        _text,
    ),
    4,
    refers={"DestinationIds": DESTINATIONS},
)
UNUSED_TABLES: Mapping[str, UnusedTable] = {
    SHARED_GROUPS: UnusedTable(
        {"Id": _id, "Account": _id, "Strategy": _strategy, "RatingSubject": _text}, id="Id"
    ),
    ACTIONS: UnusedTable(
        {
            "ActionsId": _id,
            "Action": _id,
            "ExtraParameters": _text,
            "Filter": _text,
            "BalanceId": _text,
            "BalanceType": _text,
            "Directions": _direction,
            "Categories": _ids,
            "DestinationIds": _ids,
            "RatingSubject": _text,
            "SharedGroup": _ids,
            "ExpiryTime": _instant,
            "TimingIds": _ids,
            "Units": _units,
            "BalanceWeight": _weight,
            "BalanceBlocker": _flag,
            "BalanceDisabled": _flag,
            "Weight": _weight,
        },
        id="ActionsId",
        refers={"DestinationIds": DESTINATIONS, "SharedGroup": SHARED_GROUPS, "TimingIds": TIMINGS},
    ),
    ACTION_PLANS: UnusedTable(
        {"Id": _id, "ActionsId": _id, "TimingId": _ids, "Weight": _weight},
        id="Id",
        refers={"ActionsId": ACTIONS, "TimingId": TIMINGS},
    ),
    ACTION_TRIGGERS: UnusedTable(
        {
            "Tag": _id,
            "UniqueId": _text,
            "ThresholdType": _threshold,
            "ThresholdValue": _number,
            "Recurrent": _flag,
            "MinSleep": _duration,
            "ExpiryTime": _instant,
            "ActivationTime": _instant,
            "BalanceTag": _text,
            "BalanceType": _text,
            "BalanceDirections": _direction,
            "BalanceCategories": _ids,
            "BalanceDestinationIds": _ids,
            "BalanceRatingSubject": _text,
            "BalanceSharedGroup": _ids,
            "BalanceExpiryTime": _instant,
            "BalanceTimingIds": _ids,
            "BalanceWeight": _weight,
            "BalanceBlocker": _flag,
            "BalanceDisabled": _flag,
            "StatsMinQueuedItems": _number,
            "ActionsId": _id,
            "Weight": _weight,
        },
        id="Tag",
        refers={
            "BalanceDestinationIds": DESTINATIONS,
            "BalanceSharedGroup": SHARED_GROUPS,
            "BalanceTimingIds": TIMINGS,
            "ActionsId": ACTIONS,
        },
    ),
    ACCOUNT_ACTIONS: UnusedTable(
        {
            "Tenant": _id,
            "Account": _ids,
            "ActionPlanId": _ids,
            "ActionTriggersId": _ids,
            "AllowNegative": _flag,
            "Disabled": _flag,
        },
        2,
        refers={"ActionPlanId": ACTION_PLANS, "ActionTriggersId": ACTION_TRIGGERS},
    ),
    "DerivedChargers": _DERIVED,
    "DerivedCharges": _DERIVED,
    "LcrRules": UnusedTable(
        _KEY
        | {
            "DestinationId": _ids,
            "RPCategory": _id,
            "Strategy": _id,
            "StrategyParams": _text,
            "ActivationTime": _instant,
            "Weight": _weight,
        },
        refers={"DestinationId": DESTINATIONS},
    ),
    "CdrStats": UnusedTable(
        {
            "Id": _id,
            "QueueLength": _number,
            "TimeWindow": _duration,
            "SaveInterval": _duration,
            "Metric": _text,
        }
        | dict.fromkeys(
            (
                *("SetupInterval", "TOR", "CdrHost", "CdrSource", "ReqType", "Direction", "Tenant"),
                *("Category", "Account", "Subject", "DestinationIds", "PddInterval", "UsageInterval"),
                *("Supplier", "DisconnectCause", "MediationRunIds", "RatedAccount", "RatedSubject"),
                "CostInterval",
            ),
            _text,
        )
        | {"Triggers": _ids},
        refers={"Triggers": ACTION_TRIGGERS},
    ),
    "Aliases": UnusedTable(
        _KEY
        | {
            "DestinationId": _ids,
            "Context": _id,
            "Target": _text,
            "Original": _text,
            "Alias": _text,
            "Weight": _weight,
        },
        refers={"DestinationId": DESTINATIONS},
    ),
    "Users": UnusedTable(
        {
            "Tenant": _id,
            "UserName": _id,
            "Masked": _flag,
            "AttributeName": _text,
            "AttributeValue": _text,
            "Weight": _weight,
        },
    ),
    "ResourceLimits": UnusedTable(
        {
            "Id": _id,
            "FilterType": _text,
            "FilterFieldName": _text,
            "FilterFieldValues": _text,
            "ActivationTime": _instant,
            "Weight": _weight,
            "Limit": _number,
            "ActionTriggers": _ids,
        },
        refers={"ActionTriggers": ACTION_TRIGGERS},
    ),
}


class Mention(NamedTuple):
    """Where an id of ``file`` is named."""

    file: str
    id: str
    where: str


@dataclass
class UnusedRows:
    """The number of rows by file, where each id is defined first, what is named, and the findings.

    ``files`` are the findings about whole files, ``warnings`` those about rows.
    """

    rows: dict[str, int] = field(default_factory=dict)
    ids: dict[str, dict[str, str]] = field(default_factory=dict)
    mentions: list[Mention] = field(default_factory=list)
    files: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def mentioned(self, file: str) -> set[str]:
        """The ids of ``file`` that the rows name."""
        return {mention.id for mention in self.mentions if mention.file == file}


def read_unused_tables(files: Mapping[str, bytes], unknown: tuple[str, ...] = ()) -> UnusedRows:
    """Check the tables that the product does not act on, and name each with its rows.

    ``unknown`` are the names of files that belong to no tariff folder; each is named too.
    """
    result = UnusedRows()
    for name, table in UNUSED_TABLES.items():
        if name in files:
            _read(name, table, files[name], result)
    for name in unknown:
        message = "this is no file of a tariff folder; it was not read"
        result.files.append(Problem(name, message, "unknown_file"))
    return result


def _read(name: str, table: UnusedTable, data: bytes, result: UnusedRows) -> None:
    reader = TableReader(name)
    count = 0
    ids: dict[str, str] = {}
    aliases = {"Tag": "Id"} if "Id" in table.columns else {"Id": table.id} if table.id else {}
    for row in reader.rows(data, [Layout(tuple(table.columns), table.optional, aliases)]):
        count += 1
        _check(reader, table, row, result, ids)
    result.rows[name] = count
    result.ids[name] = ids
    message = f"the product does not act on this file yet: {_rows(count)} checked, none stored"
    result.files.append(Problem(f"{name}.csv", message, "not_acted_on"))
    result.warnings += [fault.problem for fault in reader.faults]


def _check(
    reader: TableReader, table: UnusedTable, row: Row, result: UnusedRows, ids: dict[str, str]
) -> None:
    required = len(table.columns) - table.optional
    for index, (column, check) in enumerate(table.columns.items()):
        value = reader.field(row, column, check, None if index < required else "")
        where = place(reader.name, row.line, column)
        if column == table.id and isinstance(value, str):
            ids.setdefault(value, where)
        if column in table.refers and value is not None:
            for name in (value,) if isinstance(value, str) else _strings(value):
                if not name.startswith("*"):
                    result.mentions.append(Mention(table.refers[column], name, where))


def _strings(value: object) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, tuple) else ()


def _rows(count: int) -> str:
    return f"{count:,} row{'s' if count != 1 else ''}"
