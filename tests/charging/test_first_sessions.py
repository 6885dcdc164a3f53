"""The first session on new free units or a new balance: its rows get their ids while the session is in memory."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command

from apps.charging.domain.requests import ChargingAnswer, OnlineRequest, Operation, Result
from apps.charging.domain.state import FIRST_NEW_ID
from apps.charging.models import AllowanceCounter, AllowanceEntry, ChargingSession, LedgerEntry, Reservation
from apps.charging.services.executor import BatchExecutor
from tests.charging.online import MIB, item
from tests.charging.stored import (
    NOW,
    assert_books_are_right,
    default_balance,
    make_prepaid,
    order,
    request,
    submit,
)
from tests.factories import make_plan

pytestmark = pytest.mark.django_db(transaction=True)


def charge_in_turn(*asked: OnlineRequest, executor: BatchExecutor | None = None) -> list[ChargingAnswer]:
    """Each request in a batch of its own, by an executor as the Gy server runs one."""
    if executor is not None:
        return [submit(executor, one).result() for one in asked]
    with BatchExecutor(clock=lambda: asked[0].at) as own:
        return charge_in_turn(*asked, executor=own)


def data_session(name: str, at: datetime, used_mib: Sequence[int], asked_mib: int = 4) -> list[OnlineRequest]:
    """Open, report each of ``used_mib`` and ask for more, and end with the last of them."""
    first = request(Operation.INITIATE, item("data", asked_mib * MIB), session=name, at=at)
    requests = [first]
    for number, used in enumerate(used_mib, start=1):
        last = number == len(used_mib)
        requests.append(
            request(
                Operation.TERMINATE if last else Operation.UPDATE,
                item("data", None if last else asked_mib * MIB, used * MIB),
                session=name,
                number=number,
                at=at + timedelta(minutes=number),
            )
        )
    return requests


def provisional_ids() -> list[Any]:
    """The stored values that still name a row by its provisional id."""
    texts = [
        *ChargingSession.objects.values_list("meters", flat=True),
        *LedgerEntry.objects.values_list("cause", flat=True),
        *AllowanceEntry.objects.values_list("cause", flat=True),
        *map(str, Reservation.objects.values_list("holder_id", flat=True)),
    ]
    return [text for text in texts if str(FIRST_NEW_ID)[:8] in text]


def test_the_first_session_on_included_units_is_charged_to_its_end() -> None:
    plan = make_plan("FREE", data=(10_000, 10))
    make_prepaid(plan=plan.code)
    answers = charge_in_turn(*data_session("first", NOW, [4, 4, 4]))
    assert [answer.result for answer in answers] == [Result.SUCCESS] * 4
    assert [answer.cost_micros for answer in answers] == [0, 0, 0, 20_000]
    counter = AllowanceCounter.objects.get()
    assert (counter.used, counter.used_online, counter.reserved) == (10 * MIB, 10 * MIB, 0)
    entries = AllowanceEntry.objects.order_by("pk").values_list("counter_id", "units")
    assert list(entries) == [(counter.pk, 4 * MIB), (counter.pk, 4 * MIB), (counter.pk, 2 * MIB)]
    assert default_balance().amount_micros == 980_000
    assert not Reservation.objects.exists()
    assert not provisional_ids()
    assert_books_are_right()
    call_command("audit")


def test_an_old_subscribers_first_session_of_a_month_is_charged_to_its_end() -> None:
    plan = make_plan("FREE", data=(10_000, 10))
    make_prepaid(plan=plan.code)
    june = datetime(2026, 6, 1, 0, 5, tzinfo=UTC)
    answers = charge_in_turn(*data_session("may", datetime(2026, 5, 31, 23, 0, tzinfo=UTC), [4, 4]))
    answers += charge_in_turn(*data_session("june", june, [4, 4, 4]))
    assert {answer.result for answer in answers} == {Result.SUCCESS}
    used = AllowanceCounter.objects.order_by("month").values_list("month", "used_online", "reserved")
    assert list(used) == [(5, 8 * MIB, 0), (6, 10 * MIB, 0)]
    assert default_balance().amount_micros == 980_000
    assert not Reservation.objects.exists()
    assert not provisional_ids()
    assert_books_are_right()


def test_a_session_across_the_end_of_a_month_uses_the_units_of_both() -> None:
    plan = make_plan("FREE", data=(10_000, 6))
    make_prepaid(plan=plan.code)
    last_minutes = datetime(2026, 5, 31, 23, 58, tzinfo=UTC)
    # 23:58, 23:59 (from 23:58 on: May), 00:00 (from 23:59 on: May), 00:01 and 00:02 (June).
    answers = charge_in_turn(*data_session("s", last_minutes, [4, 4, 4, 4]))
    assert [answer.result for answer in answers] == [Result.SUCCESS] * 5
    used = AllowanceCounter.objects.order_by("month").values_list("month", "used_online", "reserved")
    assert list(used) == [(5, 6 * MIB, 0), (6, 6 * MIB, 0)]
    assert default_balance().amount_micros == 1_000_000 - 4 * 10_000
    assert not Reservation.objects.exists()
    assert not provisional_ids()
    assert_books_are_right()


def test_a_session_holds_units_that_came_into_being_in_its_own_batch() -> None:
    make_prepaid()
    with BatchExecutor(clock=lambda: NOW, writers=1) as executor:
        asked = [
            request(Operation.TOP_UP, session="gift", order=order(6 * MIB, tag="gift", kind="data")),
            *data_session("s", NOW, [4, 4]),
        ]
        gift = executor.engine.run(asked[:2], NOW, own_thread=False)
        assert all(isinstance(reply, ChargingAnswer) for reply in gift)
        answers = charge_in_turn(*asked[2:], executor=executor)
    assert [answer.result for answer in answers] == [Result.SUCCESS] * 2
    assert [answer.cost_micros for answer in answers] == [0, 20_000]
    assert not provisional_ids()
    assert_books_are_right()
    call_command("audit")


def test_what_a_session_in_memory_says_is_what_its_row_says() -> None:
    plan = make_plan("FREE", data=(10_000, 10))
    make_prepaid(plan=plan.code)
    with BatchExecutor(clock=lambda: NOW) as executor:
        charge_in_turn(*data_session("s", NOW, [4, 4])[:2], executor=executor)
        ((_, remembered),) = executor.engine.memory._known.values()
    row = ChargingSession.objects.get()
    (meter,) = remembered.meters
    assert json.loads(row.meters)[0][8] == meter.run == f"*zero:-{AllowanceCounter.objects.get().pk}"
    assert [(hold.balance_id, hold.amount) for hold in meter.holds] == list(
        Reservation.objects.values_list("holder_id", "amount")
    )
