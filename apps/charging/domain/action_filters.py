"""The Filter column of Actions.csv: a condition in JSON that one of an account's balances has to meet.

``{"*and": [{"Value": {"*lt": 5}}, {"Id": {"*eq": "*default"}}]}``; several fields beside each other all have to hold
(CGRateS ``utils/struct_matcher.go``). ``Value`` is in units of the currency, seconds, octets or events.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from apps.charging.domain.balances import Balance, BalanceKind
from apps.kernel.errors import InvalidInput

_MICROS = 1_000_000
Condition = Callable[[Balance, datetime], bool]


def check_condition(text: str) -> str:
    """The text. Raises InvalidInput unless it is empty or a condition."""
    _condition(text)
    return text


def is_met(text: str, balances: list[Balance], at: datetime) -> bool:
    """Whether one of the balances meets the condition; an empty one is always met."""
    if not text:
        return True
    condition = _condition(text)
    return any(condition(balance, at) for balance in balances)


def _value(balance: Balance) -> object:
    return Decimal(balance.value) / _MICROS if balance.kind == BalanceKind.MONETARY else balance.value


_FIELDS: Mapping[str, Callable[[Balance], object]] = {
    "id": lambda balance: balance.tag,
    "type": lambda balance: f"*{balance.kind}",
    "value": _value,
    "weight": lambda balance: balance.terms.weight,
    "disabled": lambda balance: balance.terms.disabled,
    "blocker": lambda balance: balance.terms.blocker,
    "ratingsubject": lambda balance: balance.terms.rating_subject,
    "categories": lambda balance: balance.terms.categories,
    "destinationids": lambda balance: balance.terms.included,
    "expirationdate": lambda balance: balance.terms.expires_at,
}
_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "*eq": lambda found, wanted: found == wanted,
    "*ne": lambda found, wanted: found != wanted,
    "*lt": lambda found, wanted: found < wanted,
    "*lte": lambda found, wanted: found <= wanted,
    "*gt": lambda found, wanted: found > wanted,
    "*gte": lambda found, wanted: found >= wanted,
}


@lru_cache(maxsize=1_000)
def _condition(text: str) -> Condition:
    if not text:
        return lambda balance, at: True
    try:
        return _read(json.loads(text, parse_float=Decimal))
    except json.JSONDecodeError as error:
        raise InvalidInput(
            f'“{text}” is not a condition in JSON ({error}); write it like {{"Value": {{"*lt": 5}}}}'
        ) from None


def _read(written: Any) -> Condition:
    if not isinstance(written, dict) or not written:
        raise InvalidInput(f'{written!r} is not a condition; write it like {{"Value": {{"*lt": 5}}}}')
    parts = [_part(str(name), value) for name, value in written.items()]
    return parts[0] if len(parts) == 1 else lambda balance, at: all(part(balance, at) for part in parts)


def _part(name: str, value: Any) -> Condition:
    if name in ("*and", "*or"):
        if not isinstance(value, list) or not value:
            raise InvalidInput(f"{name} needs a list of conditions")
        several = [_read(one) for one in value]
        every = all if name == "*and" else any
        return lambda balance, at: every(one(balance, at) for one in several)
    if name == "*not":
        inner = _read(value[0] if isinstance(value, list) and len(value) == 1 else value)
        return lambda balance, at: not inner(balance, at)
    field = _FIELDS.get(name.casefold())
    if field is None:
        raise InvalidInput(
            f"“{name}” is no field of a balance; there are Id, Type, Value, Weight, Disabled, Blocker, RatingSubject,"
            " Categories, DestinationIds and ExpirationDate"
        )
    comparisons = value if isinstance(value, dict) else {"*eq": value}
    if not comparisons:
        raise InvalidInput(f"“{name}” is compared with nothing")
    return _all([_comparison(name, field, operator, wanted) for operator, wanted in comparisons.items()])


def _all(conditions: list[Condition]) -> Condition:
    return lambda balance, at: all(condition(balance, at) for condition in conditions)


def _comparison(name: str, field: Callable[[Balance], object], operator: str, wanted: Any) -> Condition:
    is_number, of_set = (
        name.casefold() in ("value", "weight"),
        name.casefold() in ("categories", "destinationids"),
    )
    if operator == "*exp" and name.casefold() == "expirationdate":
        return lambda balance, at: (
            bool(wanted) == (balance.terms.expires_at is not None and balance.terms.expires_at <= at)
        )
    if operator == "*has" and of_set:
        names = {str(one) for one in wanted} if isinstance(wanted, list) else {str(wanted)}
        return lambda balance, at: names <= set(field(balance))  # type: ignore[call-overload]
    compare = _COMPARISONS.get(operator)
    if compare is None or of_set or name.casefold() == "expirationdate":
        raise InvalidInput(
            f"“{operator}” does not compare {name}; use *eq, *ne, *lt, *lte, *gt, *gte, *has or *exp"
        )
    if is_number != (isinstance(wanted, (int, Decimal)) and not isinstance(wanted, bool)):
        raise InvalidInput(
            f"{name} is compared with {'a number' if is_number else 'a text or true'}, not {wanted!r}"
        )
    return lambda balance, at: compare(field(balance), wanted)
