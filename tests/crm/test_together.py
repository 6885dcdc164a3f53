"""Calls of several threads that come at once are done together, each with an outcome of its own."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection

from apps.charging.models import Balance, LedgerEntry
from apps.crm.models import ApiCall
from apps.crm.services import vouchers
from apps.crm.services.clients import platform_token
from apps.crm.services.together import Together
from apps.kernel.clock import utc_now
from apps.vouchers.services.batches import NewBatch, generate_batch
from tests.charging.stored import make_prepaid
from tests.crmapi.rest.world import Api, forget_everything
from tests.factories import make_tenant
from tests.patience import eventually


def test_what_comes_while_others_are_done_is_done_together_and_a_lone_call_at_once():
    groups: list[list[int]] = []
    may_end = threading.Event()

    def double(asked: Sequence[int]) -> list[int]:
        groups.append(list(asked))
        may_end.wait(10)
        return [number * 2 for number in asked]

    together = Together(double, most=3)
    with ThreadPoolExecutor(8) as threads:
        first = threads.submit(together.ask, 1)
        eventually(lambda: groups == [[1]])
        others = [threads.submit(together.ask, number) for number in range(2, 7)]
        eventually(lambda: len(together._waiting) == 5)
        may_end.set()
        assert [one.result(10) for one in [first, *others]] == [2, 4, 6, 8, 10, 12]
    assert [len(group) for group in groups] == [1, 3, 2]


def test_what_breaks_is_raised_in_every_thread_that_asked_for_it_and_the_next_call_works():
    def divide(asked: Sequence[int]) -> list[int]:
        return [10 // number for number in asked]

    together = Together(divide)
    with pytest.raises(ZeroDivisionError):
        together.ask(0)
    assert together.ask(5) == 2


@pytest.mark.django_db(transaction=True)
def test_redemptions_over_rest_and_self_care_that_come_at_once_share_a_transaction(
    settings, tmp_path, monkeypatch
):
    settings.VOUCHER_KEY_FILE = tmp_path / "voucher_keys"
    forget_everything()
    people = [make_prepaid(number, balance_micros=0) for number in range(1, 5)]
    order = NewBatch("Spring", 5, 2_000_000, utc_now() + timedelta(days=9))
    pins = [one.pin for one in generate_batch(make_tenant(), order, utc_now(), key="spring").vouchers]
    groups: list[int] = []
    may_begin = threading.Event()
    real = vouchers.redeem_together

    def watched(tenant_id, orders, now, **also):
        groups.append(len(orders))
        may_begin.wait(20)
        return real(tenant_id, orders, now, **also)

    monkeypatch.setattr(vouchers, "redeem_together", watched)

    def token(*roles: str, subscriber_id: int | None = None) -> Api:
        return Api(
            platform_token(
                subject="ada",
                tenant="default",
                roles=list(roles),
                lifetime_s=600,
                now=utc_now(),
                subscriber_id=subscriber_id,
            )
        )

    agent = token("crm_agent")

    def redeem(number: int) -> tuple[int, str]:
        try:
            if number % 2:
                own = token("self_care", subscriber_id=people[number].pk)
                answer = own.post("me/vouchers/redeem", {"pin": pins[number]})
            else:
                account = people[number].payer.account_id
                answer = agent.post("vouchers/redeem", {"pin": pins[number], "account_id": account})
            return answer.status_code, answer.json().get("balance", answer.json().get("code"))
        finally:
            connection.close()

    with ThreadPoolExecutor(5) as threads:
        first = threads.submit(redeem, 0)
        eventually(lambda: groups == [1])
        others = [threads.submit(redeem, number) for number in (1, 2, 3)]
        # One of them guesses: its refusal is its own.
        pins[4] = "1234567812345678"
        people.append(people[0])
        wrong = threads.submit(redeem, 4)
        eventually(lambda: len(vouchers._TOGETHER._waiting) == 4)
        may_begin.set()
        assert [one.result(30) for one in [first, *others]] == [(200, "2")] * 4
        assert wrong.result(30) == (409, "voucher_refused")
    assert groups == [1, 4]
    assert LedgerEntry.objects.filter(kind="top_up").count() == 4
    assert set(Balance.objects.values_list("amount_micros", flat=True)) == {2_000_000}
    outcomes = ApiCall.objects.filter(operation__contains="redeem").values_list("outcome", flat=True)
    assert sorted(outcomes) == ["ok"] * 4 + ["voucher_refused"]
