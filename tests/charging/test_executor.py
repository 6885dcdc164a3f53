"""The batch executor: batches, order, threads, and two processes on one account."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection

from apps.charging.domain.requests import (
    BalanceOrder,
    MoneyLimit,
    OnlineRequest,
    Operation,
    RequestItem,
    Result,
)
from apps.charging.models import Account, Balance, LedgerEntry, PeerDay, Reservation, StoredAnswer
from apps.charging.services import executor as executors
from apps.charging.services.executor import BatchExecutor, ChargingUnavailable
from apps.events.models import Event
from tests import python_processes
from tests.charging import hammer
from tests.charging.online import MIB, item
from tests.charging.stored import NOW, default_balance, make_prepaid, request, submit

pytestmark = pytest.mark.django_db(transaction=True)


def sms(number: int, of: int = 1):  # type: ignore[no-untyped-def]
    return request(Operation.EVENT, item("sms", 1), session=f"sms-{of}-{number}", of=of)


def new_executor(**options: object) -> BatchExecutor:
    return BatchExecutor(clock=lambda: NOW, **options)  # type: ignore[arg-type]


def test_many_requests_are_charged_once_each_in_few_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in (1, 2, 3):
        make_prepaid(number, balance_micros=10_000_000)
    sizes: list[int] = []
    real = executors.execute
    monkeypatch.setattr(executors, "execute", lambda *a: (sizes.append(len(a[0])), real(*a))[1])
    with new_executor() as executor:
        futures = [submit(executor, sms(number, number % 3 + 1)) for number in range(300)]
        answers = [future.result() for future in futures]
    assert {answer.result for answer in answers} == {Result.SUCCESS}
    assert LedgerEntry.objects.filter(kind="usage").count() == StoredAnswer.objects.count() == 300
    assert [default_balance(number).amount_micros for number in (1, 2, 3)] == [5_000_000] * 3
    assert sum(sizes) == 300
    assert len(sizes) < 100
    call_command("audit")


def test_stopping_without_a_database_is_patient_once_and_not_for_each_request(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    # A tariff is needed before the database is.
    make_prepaid(1)
    settings.CHARGING_PATIENCE_S = 0.3
    tried: list[int] = []

    def gone(*_: object) -> None:
        tried.append(1)
        raise OperationalError(2006, "the server has gone away")

    monkeypatch.setattr(executors, "execute", gone)
    executor = new_executor(batch_size=1, writers=1)
    executor.start()
    futures = [submit(executor, sms(number)) for number in range(60)]
    executor.stop()
    assert all(isinstance(future.exception(), ChargingUnavailable) for future in futures)
    assert len(tried) < 2 * len(futures)


def test_requests_of_one_subscriber_are_charged_in_order() -> None:
    make_prepaid(balance_micros=10_000_000)
    with new_executor(batch_size=2) as executor:
        futures = [submit(executor, request(Operation.INITIATE, item("data", 5 * MIB)))]
        futures += [
            submit(executor, request(Operation.UPDATE, item("data", 5 * MIB, 5 * MIB), number=number))
            for number in range(1, 12)
        ]
        futures.append(submit(executor, request(Operation.TERMINATE, item("data", None, 1), number=12)))
        costs = [future.result().cost_micros for future in futures]
    assert costs == [0, *[50_000] * 11, 10_000]
    assert not Reservation.objects.exists()


def test_one_executor_never_overdraws_an_account_that_many_threads_spend() -> None:
    make_prepaid(balance_micros=1_000_000)
    results: list[Result] = []
    with new_executor(batch_size=8) as executor:

        def spend(name: int) -> None:
            for number in range(15):
                asked = request(Operation.EVENT, item("sms", 1), session=f"{name}-{number}")
                results.append(submit(executor, asked).result().result)

        threads = [threading.Thread(target=spend, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert results.count(Result.SUCCESS) == 20
    assert results.count(Result.CREDIT_LIMIT_REACHED) == 40
    assert default_balance().amount_micros == 0


def test_a_credit_publishes_an_event_in_its_batch_and_usage_does_not() -> None:
    make_prepaid(1)
    make_prepaid(2)
    (giver, taker) = Account.objects.order_by("pk")
    Event.objects.all().delete()
    orders = (
        (Operation.TOP_UP, BalanceOrder(giver.pk, 5_000_000, "cash")),
        (Operation.ADJUST, BalanceOrder(giver.pk, -1_000, "correction")),
        (Operation.TRANSFER, BalanceOrder(giver.pk, 2_000_000, "transfer", to_account_id=taker.pk)),
    )
    with new_executor() as executor:
        for number, (operation, order) in enumerate(orders):
            asked = OnlineRequest(operation, f"it's order {number}", 0, NOW, order=order)
            assert submit(executor, asked).result().result is Result.SUCCESS
        submit(executor, sms(1)).result()
    assert [(event.subject, event.tenant, event.body) for event in Event.objects.order_by("pk")] == [
        (
            f"account:{account.pk}",
            "default",
            {
                "account_id": account.pk,
                "balance_id": default_balance(number).pk,
                "kind": kind,
                "amount_micros": amount,
                "units": 0,
            },
        )
        for number, account, kind, amount in (
            (1, giver, "top_up", 5_000_000),
            (2, taker, "transfer", 2_000_000),
        )
    ]


def test_what_has_queued_is_charged_before_the_executor_stops() -> None:
    make_prepaid(balance_micros=10_000_000)
    executor = new_executor()
    executor.start()
    futures = [submit(executor, sms(number)) for number in range(100)]
    executor.stop()
    assert all(future.done() for future in futures)
    with pytest.raises(ChargingUnavailable):
        submit(executor, sms(1))


def test_a_lost_connection_is_opened_again_and_the_batch_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    make_prepaid()
    real, failures = executors.execute, [OperationalError(2013, "Lost"), OperationalError(1213, "Deadlock")]

    def failing(*given):  # type: ignore[no-untyped-def]
        if failures:
            raise failures.pop()
        return real(*given)

    monkeypatch.setattr(executors, "execute", failing)
    with new_executor() as executor:
        assert submit(executor, sms(1)).result().result is Result.SUCCESS
    assert failures == []


def test_a_database_that_stays_away_is_said_so(monkeypatch: pytest.MonkeyPatch, settings) -> None:  # type: ignore[no-untyped-def]
    make_prepaid()
    settings.CHARGING_PATIENCE_S = 0

    def failing(*_: object) -> None:
        raise OperationalError(2003, "cannot connect")

    monkeypatch.setattr(executors, "execute", failing)
    with new_executor() as executor, pytest.raises(ChargingUnavailable):
        submit(executor, sms(1)).result()


def test_a_batch_that_the_database_refuses_is_carried_out_without_the_culprit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_prepaid(balance_micros=10_000_000)
    real = executors.execute

    def refusing(requests, *given):  # type: ignore[no-untyped-def]
        done = real(requests, *given)
        if any(asked.session_id == "sms-1-7" for asked in requests):
            raise ValueError("no good")
        return done

    monkeypatch.setattr(executors, "execute", refusing)
    with new_executor(batch_size=64) as executor:
        futures = [submit(executor, sms(number)) for number in range(20)]
        results = [future.result().result for future in futures]
    assert results.count(Result.SUCCESS) == 19
    assert results[7] is Result.UNABLE_TO_COMPLY


def hammering(database_url: str, *arguments: str) -> python_processes.Process:
    return python_processes.start(
        ["-m", "tests.charging.hammer", *arguments],
        env={**os.environ, "DATABASE_URL": database_url, "DJANGO_SETTINGS_MODULE": "bss_project.settings"},
    )


def test_two_processes_hammering_the_same_accounts_never_take_them_below_zero(
    database_url: str, tmp_path: Path
) -> None:
    count, opening_micros = 2_000, 20_000_000
    hammer.setup(opening_micros)
    processes = [
        hammering(database_url, "run", name, str(count), str(tmp_path / name)) for name in ("first", "second")
    ]
    assert [process.wait(timeout=240) for process in processes] == [0, 0]
    lines = [
        line.split() for name in ("first", "second") for line in (tmp_path / name).read_text().splitlines()
    ]
    assert len(lines) == 2 * count
    charged = sum(int(line[3]) for line in lines)
    balances = list(Balance.objects.order_by("pk").values_list("amount_micros", "reserved_micros"))
    assert all(amount >= 0 for amount, _ in balances)
    assert all(reserved == 0 for _, reserved in balances)
    assert sum(amount for amount, _ in balances) == hammer.ACCOUNTS * opening_micros - charged
    # There was less than both wanted, so the end was reached and tested.
    assert any(line[2] == "credit_limit_reached" for line in lines)
    call_command("audit")


@pytest.mark.mariadb_only
def test_a_long_transaction_that_refers_to_an_account_is_not_in_the_way() -> None:
    make_prepaid()
    other = connection.copy("other")
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            # What a foreign key does while its row is not committed.
            cursor.execute("SELECT id FROM charging_account LOCK IN SHARE MODE")
        with new_executor() as executor:
            assert submit(executor, sms(1)).result(timeout=20).result is Result.SUCCESS
    finally:
        other.rollback()
        other.close()


def test_concurrent_refunds_give_back_a_debit_once() -> None:
    for number in (1, 2, 3):
        make_prepaid(number, balance_micros=1_000_000)
    limit = MoneyLimit("pgw.test", 250_000)

    def by_amount(operation: Operation, name: str, of: int) -> OnlineRequest:
        amount = RequestItem("data", money_micros=50_000)
        return request(operation, amount, session=f"{name}-{of}", of=of, money_limit=limit)

    with new_executor() as executor:
        debits = [submit(executor, by_amount(Operation.EVENT, "debit", of)) for of in (1, 2, 3)]
        assert all(future.result().result is Result.SUCCESS for future in debits)
        refunds = [
            submit(executor, by_amount(Operation.REFUND, f"refund-{number}", of))
            for number in range(10)
            for of in (1, 2, 3)
        ]
        reasons = sorted(future.result().reason for future in refunds)
    # 0.25 a day: three debits and two refunds of 0.05, one of them each for an account.
    assert reasons.count("") == 2
    day = PeerDay.objects.get()
    assert (day.debited_micros, day.refunded_micros, day.refusals) == (150_000, 100_000, 28)
    assert sum(Balance.objects.values_list("amount_micros", flat=True)) == 2_950_000


def deadlocks() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'")
        return int(cursor.fetchone()[1])


@pytest.mark.mariadb_only
def test_writers_that_count_for_one_peer_wait_for_each_other_without_deadlocks() -> None:
    for number in range(1, 9):
        make_prepaid(number, balance_micros=10_000_000)
    amount = RequestItem("sms", money_micros=10_000)
    limit = MoneyLimit("pgw.test", 1_000_000_000)

    def debit(number: int) -> OnlineRequest:
        return request(
            Operation.EVENT, amount, session=f"shop-{number}", of=number % 8 + 1, money_limit=limit
        )

    with new_executor(writers=4, batch_size=4) as executor:
        # The first of the day makes the row.
        submit(executor, debit(0)).result()
        before = deadlocks()
        futures = [submit(executor, debit(number)) for number in range(1, 400)]
        assert {future.result().result for future in futures} == {Result.SUCCESS}
    assert PeerDay.objects.get().debited_micros == 4_000_000
    assert deadlocks() == before
