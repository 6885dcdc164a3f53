"""An action as a row writes it, column by column, and what the columns mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from apps.charging.domain.action_filters import check_condition
from apps.charging.domain.balance_actions import (
    NEEDS_AMOUNT,
    Action,
    ActionKind,
    amount_of,
    as_stored,
    check_expiry,
)
from apps.charging.domain.balances import BalanceKind, free_increment
from apps.charging.domain.rollover import LONGEST_TAG, Rollover, rollover_of
from apps.kernel.errors import InvalidInput
from apps.rating.domain.source import ANY, Timing
from apps.rating.domain.tariff_files import fields

_YES, _NO = ("1", "t", "true"), ("0", "f", "false")
_NEEDS_PARAMETERS = (ActionKind.CALL_URL, ActionKind.CALL_URL_ASYNC, ActionKind.MAIL_ASYNC)


class WrittenAction(NamedTuple):
    """The columns of Actions.csv behind the id, in their order, as text."""

    kind: str
    extra_parameters: str = ""
    filter: str = ""
    balance_id: str = ""
    balance_type: str = ""
    directions: str = ""
    categories: str = ""
    destinations: str = ""
    rating_subject: str = ""
    shared_groups: str = ""
    expiry: str = ""
    timings: str = ""
    units: str = ""
    balance_weight: str = ""
    balance_blocker: str = ""
    balance_disabled: str = ""
    weight: str = "0"


def names_of(text: str) -> tuple[str, ...]:
    """The names of a list split by “;”; none for ``*any`` and ``*none``."""
    names = tuple(name for part in text.split(fields.LIST_SEPARATOR) if (name := part.strip()))
    return tuple(name for name in names if fields.keyword(name) not in (ANY, fields.NONE, "*all"))


def flag_of(text: str) -> bool | None:
    """Whether it says yes; None for nothing and ``*any``. Raises InvalidInput."""
    word = fields.keyword(text).casefold()
    if word in ("", ANY):
        return None
    if word not in (*_YES, *_NO):
        raise InvalidInput(f"“{text}” is neither true nor false")
    return word in _YES


def kind_of(text: str) -> ActionKind:
    """Raises InvalidInput for an action that the product has not."""
    try:
        return ActionKind(fields.keyword(text))
    except ValueError:
        raise InvalidInput(f"“{text}” is not an action; there are {', '.join(ActionKind)}") from None


def balance_kind_of(text: str) -> BalanceKind:
    """``*voice`` and the like; money if nothing is written. Raises InvalidInput."""
    word = fields.keyword(text).removeprefix("*")
    if word in ("", "any"):
        return BalanceKind.MONETARY
    try:
        return BalanceKind(word)
    except ValueError:
        raise InvalidInput(
            f"“{text}” is not a type of balance; there are {', '.join(f'*{kind}' for kind in BalanceKind)}"
        ) from None


def _weight_of(text: str) -> int | None:
    if fields.keyword(text) in ("", ANY):
        return None
    weight = fields.weight(text)
    if "." in weight:
        raise InvalidInput(f"“{text}” is not whole; the weight of a balance is a whole number")
    return int(weight)


def _parameters_of(kind: ActionKind, text: str) -> str:
    if kind in _NEEDS_PARAMETERS and not text:
        raise InvalidInput("this may not be empty: where is it to go to?")
    if kind in (ActionKind.CALL_URL, ActionKind.CALL_URL_ASYNC) and not text.startswith(
        ("http://", "https://")
    ):
        raise InvalidInput(f"“{text}” is not a URL; write it like https://crm.example/hook")
    return text


def _rollover_of(row: WrittenAction) -> Rollover | None:
    rollover = rollover_of(balance_kind_of(row.balance_type), row.extra_parameters)
    if rollover is None:
        return None
    if kind_of(row.kind) != ActionKind.TOPUP_RESET:
        raise InvalidInput(f"units roll over where {ActionKind.TOPUP_RESET} renews them, not with {row.kind}")
    if len(row.balance_id) > LONGEST_TAG:
        raise InvalidInput(f"the id of a balance whose units roll over has up to {LONGEST_TAG} characters")
    return rollover


def action_of(row: WrittenAction, timings: Mapping[str, Timing], groups: Mapping[str, int]) -> Action:
    """The action, with the timings and shared groups (ids) that it names. Raises InvalidInput; KeyError for names."""
    kind, balance_kind = kind_of(row.kind), balance_kind_of(row.balance_type)
    destinations = names_of(row.destinations)
    included = frozenset(name for name in destinations if not name.startswith("!"))
    excluded = frozenset(name[1:] for name in destinations if name.startswith("!"))
    own_timings = as_stored(timings[name] for name in names_of(row.timings))
    shared = tuple(sorted(groups[name] for name in names_of(row.shared_groups)))
    subject = row.rating_subject
    free_increment(subject)
    amount = amount_of(balance_kind, row.units)
    if amount is None and kind in NEEDS_AMOUNT:
        raise InvalidInput(f"{kind} needs units")
    return Action(
        kind=kind,
        balance_kind=balance_kind,
        amount=amount,
        tag="" if fields.keyword(row.balance_id) == ANY else row.balance_id,
        expiry=check_expiry(row.expiry),
        balance_weight=_weight_of(row.balance_weight),
        included=included or None,
        excluded=excluded or None,
        categories=frozenset(names_of(row.categories)) or None,
        timings=own_timings or None,
        rating_subject=subject if subject and fields.keyword(subject) != ANY else None,
        groups=shared or None,
        blocker=flag_of(row.balance_blocker),
        disabled=flag_of(row.balance_disabled),
        weight=row.weight,
        condition=check_condition(row.filter),
        parameters=_parameters_of(kind, row.extra_parameters),
        rollover=_rollover_of(row),
    )


_CHECKS: Mapping[str, Callable[[WrittenAction], object]] = {
    "kind": lambda row: kind_of(row.kind),
    "extra_parameters": lambda row: (
        _parameters_of(kind_of(row.kind), row.extra_parameters),
        _rollover_of(row),
    ),
    "filter": lambda row: check_condition(row.filter),
    "balance_type": lambda row: balance_kind_of(row.balance_type),
    "rating_subject": lambda row: free_increment(row.rating_subject),
    "expiry": lambda row: check_expiry(row.expiry),
    "units": lambda row: _units_of(row),
    "balance_weight": lambda row: _weight_of(row.balance_weight),
    "balance_blocker": lambda row: flag_of(row.balance_blocker),
    "balance_disabled": lambda row: flag_of(row.balance_disabled),
}
_LONGEST = {
    "extra_parameters": 500,
    "filter": 500,
    "balance_id": 64,
    "categories": 200,
    "destinations": 500,
    "rating_subject": 64,
    "shared_groups": 200,
    "expiry": 40,
    "timings": 200,
    "units": 40,
}


def _units_of(row: WrittenAction) -> int | None:
    amount = amount_of(balance_kind_of(row.balance_type), row.units)
    if amount is None and kind_of(row.kind) in NEEDS_AMOUNT:
        raise InvalidInput(f"{row.kind} needs units")
    return amount


def problems_of(row: WrittenAction) -> dict[str, str]:
    """What is wrong with the row, by field; ids of timings, destinations and shared groups are not looked up."""
    problems = {
        field: f"this is longer than {longest} characters"
        for field, longest in _LONGEST.items()
        if len(getattr(row, field)) > longest
    }
    for field, check in _CHECKS.items():
        try:
            check(row)
        except InvalidInput as error:
            # A wrong kind is said once, in its own column.
            if field == "kind" or "is not an action" not in error.message:
                problems.setdefault(field, error.message)
    return problems
