"""Answers: how they are made from their items, refused, and kept as text so that a repeat gets the same."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from apps.charging.domain.books import Books
from apps.charging.domain.items import Refusal
from apps.charging.domain.requests import (
    AnswerItem,
    ChargingAnswer,
    ChargingRequest,
    FinalUnit,
    FinalUnitAction,
    Result,
)
from apps.charging.domain.state import State


def answer_of(state: State, books: Books, items: tuple[AnswerItem, ...], now: datetime) -> ChargingAnswer:
    """The answer of a request that was carried out, from its items."""
    account = state.account
    assert account is not None
    result, reason = Result.SUCCESS, ""
    cost_micros = validity_s = 0
    succeeded = not items
    for item in items:
        cost_micros += item.cost_micros
        if item.validity_s and (not validity_s or item.validity_s < validity_s):
            validity_s = item.validity_s
        succeeded = succeeded or item.result is Result.SUCCESS
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


def refuse(state: State, request: ChargingRequest, refusal: Refusal) -> ChargingAnswer:
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
    fields = [answer.result, [_item_fields(item) for item in answer.items], *answer[2:-1]]
    return _write_json(fields)


def answer_from_text(text: str) -> ChargingAnswer:
    """The answer again, marked as a replay."""
    fields = json.loads(text)
    fields[0] = Result(fields[0])
    fields[1] = tuple(_item_from(item) for item in fields[1])
    return ChargingAnswer(*fields)._replace(replayed=True)


_write_json = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
_FINAL = AnswerItem._fields.index("final")
_TARIFF_CHANGE = AnswerItem._fields.index("tariff_change_at")


def _item_fields(item: AnswerItem) -> list[Any]:
    fields: list[Any] = list(item)
    if item.tariff_change_at is not None:
        fields[_TARIFF_CHANGE] = item.tariff_change_at.timestamp()
    return fields


def _item_from(fields: list[Any]) -> AnswerItem:
    fields[1] = Result(fields[1])
    final = fields[_FINAL]
    if final is not None:
        fields[_FINAL] = FinalUnit(FinalUnitAction(final[0]), final[1], tuple(final[2]))
    change = fields[_TARIFF_CHANGE]
    if change is not None:
        fields[_TARIFF_CHANGE] = datetime.fromtimestamp(change, UTC)
    return AnswerItem(*fields)
