"""Answers: how they are made from their items, refused, and kept as text so that a repeat gets the same."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from apps.charging.domain.books import Books
from apps.charging.domain.items import Refusal
from apps.charging.domain.requests import (
    AnswerItem,
    ChargingAnswer,
    FinalUnit,
    FinalUnitAction,
    OnlineRequest,
    Result,
)
from apps.charging.domain.state import State

# Constants, because looking a member of an enumeration up costs several times as much.
SUCCESS = Result.SUCCESS


def answer_of(state: State, books: Books, items: tuple[AnswerItem, ...], now: datetime) -> ChargingAnswer:
    """The answer of a request that was carried out, from its items."""
    account = state.account
    assert account is not None
    result, reason = SUCCESS, ""
    cost_micros = validity_s = 0
    succeeded = not items
    for item in items:
        cost_micros += item.cost_micros
        if item.validity_s and (not validity_s or item.validity_s < validity_s):
            validity_s = item.validity_s
        succeeded = succeeded or item.result is SUCCESS
    if not succeeded:
        result, reason = items[0].result, items[0].reason
    return ChargingAnswer(
        result,
        items,
        account.account_id,
        state.line.subscriber_id if state.line else None,
        account.currency,
        cost_micros,
        books.money_left(account, now),
        None,
        validity_s,
        reason,
    )


def refuse(state: State, request: OnlineRequest, refusal: Refusal) -> ChargingAnswer:
    """The answer that refuses the request as a whole, each item with the same result."""
    account = state.account
    return ChargingAnswer(
        refusal.result,
        tuple(
            AnswerItem(
                item.service,
                refusal.result,
                item.rating_group,
                item.service_identifier,
                granted=None if item.requested is None else 0,
                reason=refusal.reason,
            )
            for item in request.items
        ),
        account_id=account.account_id if account else None,
        subscriber_id=state.line.subscriber_id if state.line else None,
        currency=account.currency if account else "",
        reason=refusal.reason,
        message=refusal.message,
    )


def answer_to_text(answer: ChargingAnswer) -> str:
    """The answer as compact JSON, for :func:`answer_from_text`. Its ``replayed`` mark is not kept."""
    (
        result,
        items,
        account_id,
        subscriber_id,
        currency,
        cost_micros,
        balance_micros,
        enough,
        validity_s,
        reason,
        message,
        _,
    ) = answer
    return (
        f'["{result._value_}",[{",".join([_item_text(item) for item in items])}],'
        f"{'null' if account_id is None else account_id},{'null' if subscriber_id is None else subscriber_id},"
        f'"{currency}",{cost_micros},{balance_micros},{_TRUTH[enough]},{validity_s},'
        f"{json_text(reason)},{_write_json(message) if message else _EMPTY}]"
    )


@lru_cache(maxsize=10_000)
def json_text(text: str) -> str:
    """A code or a name, of which there are few, as JSON."""
    return _write_json(text)


def answer_from_text(text: str) -> ChargingAnswer:
    """The answer again, marked as a replay."""
    fields = json.loads(text)
    fields[0] = Result(fields[0])
    fields[1] = tuple(_item_from(item) for item in fields[1])
    return ChargingAnswer(*fields)._replace(replayed=True)


_write_json = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
_FINAL = AnswerItem._fields.index("final")
_TARIFF_CHANGE = AnswerItem._fields.index("tariff_change_at")


_TRUTH = {None: "null", True: "true", False: "false"}
_EMPTY = '""'


def _item_text(item: AnswerItem) -> str:
    (
        service,
        result,
        rating_group,
        identifier,
        type_of_record,
        granted,
        final,
        cost_micros,
        unpaid_micros,
        validity_s,
        quota_holding_s,
        threshold,
        change_at,
        reason,
    ) = item
    return (
        f'[{json_text(service)},"{result._value_}",{"null" if rating_group is None else rating_group},'
        f'{"null" if identifier is None else identifier},"{type_of_record}",'
        f"{'null' if granted is None else granted},{'null' if final is None else _write_json(final)},"
        f"{cost_micros},{unpaid_micros},{validity_s},{'null' if quota_holding_s is None else quota_holding_s},"
        f"{threshold},{'null' if change_at is None else repr(change_at.timestamp())},{json_text(reason)}]"
    )


def _item_from(fields: list[Any]) -> AnswerItem:
    fields[1] = Result(fields[1])
    final = fields[_FINAL]
    if final is not None:
        fields[_FINAL] = FinalUnit(FinalUnitAction(final[0]), final[1], tuple(final[2]))
    change = fields[_TARIFF_CHANGE]
    if change is not None:
        fields[_TARIFF_CHANGE] = datetime.fromtimestamp(change, UTC)
    return AnswerItem(*fields)
