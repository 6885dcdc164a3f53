"""The columns of a tariff folder's tables beside the six of prices: checks, keys and references.

Rooms above rating load the tables that they act on (:mod:`apps.rating.services.folder_parts`).
Sources of the columns: CGRateS v0.9 ``engine/models.go`` and ``data/tariffplans``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple
from zoneinfo import ZoneInfo

from apps.kernel.errors import InvalidInput
from apps.kernel.units import parse_usage_units
from apps.rating.domain.source import ANY
from apps.rating.domain.tariff_files import fields, times

Check = Callable[[str], object]
TIMINGS, DESTINATIONS = "Timings", "Destinations"
SHARED_GROUPS, ACTIONS, ACTION_PLANS = "SharedGroups", "Actions", "ActionPlans"
ACTION_TRIGGERS, ACCOUNT_ACTIONS = "ActionTriggers", "AccountActions"
CDR_STATS, LCR_RULES = "CdrStats", "LcrRules"

EXCLUDED = "!"
_FLAGS = ("", "0", "1", "t", "f", "true", "false", ANY)
_STRATEGIES = ("lowest", "highest", "random", "mine_lowest", "mine_highest", "mine_random")
_DURATION = re.compile(r"[+-]?(?:\d+|(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+)", re.ASCII)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?", re.ASCII)


def _text(text: str) -> str:
    return text


def _id(text: str) -> str:
    return fields.reference(text)


def _optional_id(text: str) -> str:
    return fields.reference(text) if text else ""


def _ids(text: str) -> tuple[str, ...]:
    """Ids split by semicolons, perhaps none; “!” before one excludes it."""
    parts = [part for item in text.split(fields.LIST_SEPARATOR) if (part := item.strip())]
    return tuple(
        EXCLUDED * part.startswith(EXCLUDED) + fields.reference(part.removeprefix(EXCLUDED)) for part in parts
    )


def _flag(text: str) -> str:
    if text.casefold() not in _FLAGS:
        raise InvalidInput(f"“{text}” is neither true nor false")
    return text


def _accounts(text: str) -> tuple[str, ...]:
    """The accounts of a row, at least one."""
    numbers = tuple(
        fields.identifier(number) for item in text.split(fields.LIST_SEPARATOR) if (number := item.strip())
    )
    if not numbers:
        raise InvalidInput("this may not be empty; write the number of an account")
    return tuple(dict.fromkeys(numbers))


def _direction(text: str) -> str:
    """Directions split by semicolons; nothing is ``*out``."""
    for item in text.split(fields.LIST_SEPARATOR):
        if fields.keyword(item.strip()) not in ("", ANY, fields.OUT, fields.IN):
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
    """How the balances of a shared group are ordered; empty is ``*mine_random``, as with CGRateS."""
    strategy = text.casefold().removeprefix("*") or "mine_random"
    if strategy not in _STRATEGIES:
        raise InvalidInput(f"“{text}” is not a strategy; use *{', *'.join(_STRATEGIES)}")
    return f"*{strategy}"


def _threshold(text: str) -> str:
    if not text.startswith("*"):
        raise InvalidInput(f"“{text}” is not a threshold type; write one such as *min_balance")
    return text


# What the values of a resource limit's filter are, by its type: ids of these tables, else text.
FILTERED_IDS = {"*destinations": DESTINATIONS, "*timings": TIMINGS}
_FILTER_TYPES = ("", *FILTERED_IDS, "*string", "*string_prefix", "*rsr_fields", "*cdr_stats")


def _filter_type(text: str) -> str:
    if fields.keyword(text) not in _FILTER_TYPES:
        raise InvalidInput(f"“{text}” is not a filter type; use {', '.join(_FILTER_TYPES[1:])}")
    return fields.keyword(text)


class FolderTable(NamedTuple):
    """Columns with their checks, in the order of the file; the last ``optional`` ones may be left out.

    ``key``: the columns that name what a row belongs to. All rows of a key are replaced together.
    ``refers``: by column, the table whose ids it holds. ``each``: a list in such a column is a row for each item.
    """

    columns: Mapping[str, Check]
    optional: int = 0
    key: tuple[str, ...] = ()
    refers: Mapping[str, str] = {}
    each: tuple[str, ...] = ()


_KEY: dict[str, Check] = {
    "Direction": _direction,
    "Tenant": _id,
    "Category": _ids,
    "Account": _ids,
    "Subject": _ids,
}
_DERIVED = FolderTable(
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
    key=tuple(_KEY),
    refers={"DestinationIds": DESTINATIONS},
)
FOLDER_TABLES: Mapping[str, FolderTable] = {
    SHARED_GROUPS: FolderTable(
        {"Id": _id, "Account": _id, "Strategy": _strategy, "RatingSubject": _optional_id}, key=("Id",)
    ),
    ACTIONS: FolderTable(
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
        key=("ActionsId",),
        refers={"DestinationIds": DESTINATIONS, "SharedGroup": SHARED_GROUPS, "TimingIds": TIMINGS},
    ),
    ACTION_PLANS: FolderTable(
        {"Id": _id, "ActionsId": _id, "TimingId": _ids, "Weight": _weight},
        key=("Id",),
        refers={"ActionsId": ACTIONS, "TimingId": TIMINGS},
    ),
    ACTION_TRIGGERS: FolderTable(
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
        key=("Tag",),
        refers={
            "BalanceDestinationIds": DESTINATIONS,
            "BalanceSharedGroup": SHARED_GROUPS,
            "BalanceTimingIds": TIMINGS,
            "ActionsId": ACTIONS,
        },
    ),
    ACCOUNT_ACTIONS: FolderTable(
        {
            "Tenant": fields.tenant,
            "Account": _accounts,
            "ActionPlanId": _ids,
            "ActionTriggersId": _ids,
            "AllowNegative": _flag,
            "Disabled": _flag,
        },
        2,
        key=("Tenant", "Account"),
        each=("Account",),
        refers={"ActionPlanId": ACTION_PLANS, "ActionTriggersId": ACTION_TRIGGERS},
    ),
    "DerivedChargers": _DERIVED,
    "DerivedCharges": _DERIVED,
    LCR_RULES: FolderTable(
        _KEY
        | {
            "DestinationId": _ids,
            "RPCategory": _id,
            "Strategy": _id,
            "StrategyParams": _text,
            "ActivationTime": _instant,
            "Weight": _weight,
        },
        key=tuple(_KEY),
        refers={"DestinationId": DESTINATIONS},
    ),
    CDR_STATS: FolderTable(
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
                *("Category", "Account", "Subject"),
            ),
            _text,
        )
        | {"DestinationIds": _ids}
        | dict.fromkeys(
            (
                *("PddInterval", "UsageInterval"),
                *("Supplier", "DisconnectCause", "MediationRunIds", "RatedAccount", "RatedSubject"),
                "CostInterval",
            ),
            _text,
        )
        | {"Triggers": _ids},
        key=("Id",),
        refers={"DestinationIds": DESTINATIONS, "Triggers": ACTION_TRIGGERS},
    ),
    "Aliases": FolderTable(
        _KEY
        | {
            "DestinationId": _ids,
            "Context": _id,
            "Target": _text,
            "Original": _text,
            "Alias": _text,
            "Weight": _weight,
        },
        key=(*_KEY, "Context"),
        refers={"DestinationId": DESTINATIONS},
    ),
    "Users": FolderTable(
        {
            "Tenant": _id,
            "UserName": _id,
            "Masked": _flag,
            "AttributeName": _text,
            "AttributeValue": _text,
            "Weight": _weight,
        },
        key=("Tenant", "UserName"),
    ),
    "ResourceLimits": FolderTable(
        {
            "Id": _id,
            "FilterType": _filter_type,
            "FilterFieldName": _text,
            "FilterFieldValues": _text,
            "ActivationTime": _instant,
            "Weight": _weight,
            "Limit": _number,
            "ActionTriggers": _ids,
        },
        key=("Id",),
        refers={"ActionTriggers": ACTION_TRIGGERS},
    ),
}
