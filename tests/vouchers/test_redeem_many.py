"""Many redemptions in one transaction: each ends as it would alone, with any outcome of the others."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import IntegrityError, OperationalError, transaction

from apps.charging.models import Account, LedgerEntry
from apps.charging.services.audit import differences
from apps.kernel.errors import BssError
from apps.subscribers.models import BundleAssignment
from apps.vouchers.domain.redemption import Redemption, RedemptionRefused
from apps.vouchers.domain.vouchers import VoucherAction
from apps.vouchers.models import RedemptionGuard, Voucher
from apps.vouchers.services import redeeming
from apps.vouchers.services.batches import NewBatch, generate_batch
from apps.vouchers.services.changes import change_vouchers
from apps.vouchers.services.keys import add_key
from apps.vouchers.services.redemption import RedeemOrder, redeem, redeem_many
from tests.charging.stored import (
    NOW,
    account_of,
    assert_books_are_right,
    default_balance,
    make_prepaid,
    msisdn,
)
from tests.factories import make_bundle, make_subscriber, make_tenant

pytestmark = pytest.mark.django_db
TEN = 10_000_000


@pytest.fixture(autouse=True)
def own_keys(settings, tmp_path):
    settings.VOUCHER_KEY_FILE = tmp_path / "voucher_keys"


def make_pins(count: int, key: str = "order", tenant=None, **more) -> list[str]:
    order = NewBatch("Kiosk", count, more.pop("value", TEN), NOW + timedelta(days=30), **more)
    made = generate_batch(tenant or make_tenant(), order, NOW, key=key)
    return [voucher.pin for voucher in made.vouchers]


def together(*orders: RedeemOrder, at=NOW, **more) -> list[object]:
    return redeem_many(make_tenant().pk, orders, at, **more)


def one_by_one(*orders: RedeemOrder) -> list[object]:
    outcomes: list[object] = []
    for order in orders:
        account = Account.objects.filter(pk=order.account_id).first()
        if account is None:
            outcomes.append("not_found")
            continue
        try:
            outcomes.append(
                redeem(
                    make_tenant(),
                    order.pin,
                    NOW,
                    account=account,
                    msisdn=order.msisdn,
                    key=order.key,
                    caller=order.caller,
                )
            )
        except BssError as error:
            outcomes.append(error.code)
    return outcomes


def told(outcomes: list[object]) -> list[object]:
    return [outcome.code if isinstance(outcome, BssError) else outcome for outcome in outcomes]


def guesses() -> list[tuple[object, ...]]:
    return list(
        RedemptionGuard.objects.order_by("subject").values_list(
            "subject", "failures", "failed_at", "locked_at"
        )
    )


def test_vouchers_of_many_accounts_are_credited_together_as_each_would_be_alone():
    for number in range(1, 5):
        make_prepaid(number)
    pins = make_pins(3)
    add_key()
    units = make_pins(1, "units", kind="voice", value=600, balance_days=10)
    orders = [
        RedeemOrder(account_of(number).pk, pin, msisdn(number), key, "api:crm")
        for number, pin, key in zip(
            range(1, 5), [*pins[:2], units[0], pins[2]], ["k1", "", "k3", ""], strict=True
        )
    ]
    written: list[object] = []
    done = together(*orders, also=written.append)
    assert [one.account_id for one in done] == [one.account_id for one in orders]
    assert [(one.kind, one.value, one.balance_micros) for one in done] == [
        ("monetary", TEN, 1_000_000 + TEN),
        ("monetary", TEN, 1_000_000 + TEN),
        ("voice", 600, 1_000_000),
        ("monetary", TEN, 1_000_000 + TEN),
    ]
    assert written == [dict(enumerate(done))], "all of them in one transaction"
    vouchers = {voucher.serial: voucher for voucher in Voucher.objects.all()}
    for one, wanted in zip(done, orders, strict=True):
        voucher = vouchers[one.serial]
        assert (voucher.status, voucher.account_id, voucher.msisdn) == (
            "redeemed",
            wanted.account_id,
            wanted.msisdn,
        )
        assert (voucher.redeemed_at, voucher.changed_at) == (NOW, NOW)
        assert LedgerEntry.objects.get(cause=voucher.cause).balance.account_id == wanted.account_id
    assert_books_are_right()
    assert list(differences()) == []
    assert together(orders[0]) == [done[0]._replace(replayed=True)]
    assert default_balance(1).amount_micros == 1_000_000 + TEN


def test_each_of_many_orders_ends_as_it_would_alone(settings):
    settings.VOUCHER_CALLER_TRIES = 4
    for number in range(1, 11):
        # The fourth holds nothing: its account gets another currency below.
        make_prepaid(number, balance_micros=0 if number == 4 else 1_000_000)
    make_subscriber(20, mode="postpaid")
    pins = make_pins(12)
    make_bundle("EXTRA", voice=10)
    bundled = make_pins(3, "bundled", bundle="EXTRA", bundle_days=5)
    (sleeping,) = make_pins(1, "sleeping", active=False)
    (theirs,) = make_pins(1, "theirs", tenant=make_tenant("mvno"))
    accounts = [account_of(number) for number in range(1, 11)]
    redeem(make_tenant(), pins[8], NOW, account=accounts[7], key="used")
    change_vouchers(
        make_tenant(), VoucherAction.BLOCK, NOW, serials=[Voucher.objects.order_by("pk")[9].serial]
    )
    Account.objects.filter(pk=accounts[2].pk).update(closed_at=NOW)
    Account.objects.filter(pk=accounts[3].pk).update(currency="USD")
    for number in (4, 8):
        with pytest.raises(RedemptionRefused):
            redeem(make_tenant(), "0" * 16, NOW, account=accounts[number])
    orders = [
        RedeemOrder(accounts[0].pk, pins[0]),
        RedeemOrder(accounts[0].pk, pins[1]),
        RedeemOrder(accounts[1].pk, pins[0]),
        RedeemOrder(accounts[1].pk, "12"),
        RedeemOrder(accounts[1].pk, "1" * 16),
        RedeemOrder(accounts[1].pk, "2" * 16),
        RedeemOrder(accounts[1].pk, pins[6]),
        RedeemOrder(accounts[2].pk, pins[2]),
        RedeemOrder(accounts[3].pk, pins[3], caller="api:crm"),
        RedeemOrder(accounts[4].pk, pins[4], key="new"),
        RedeemOrder(accounts[4].pk, pins[4], key="new"),
        RedeemOrder(accounts[5].pk, bundled[0], msisdn(6)),
        RedeemOrder(accounts[5].pk, bundled[1], msisdn(6)),
        RedeemOrder(accounts[6].pk, sleeping),
        RedeemOrder(accounts[7].pk, pins[8]),
        RedeemOrder(accounts[7].pk, pins[5], key="used"),
        RedeemOrder(Account.objects.get(mode="postpaid").pk, pins[6]),
        RedeemOrder(999_999, pins[7]),
        RedeemOrder(accounts[6].pk, theirs),
        RedeemOrder(accounts[8].pk, pins[9]),
        RedeemOrder(accounts[9].pk, "3" * 16, caller="api:crm"),
        RedeemOrder(accounts[9].pk, pins[10], caller="api:crm"),
        RedeemOrder(accounts[9].pk, "4" * 16, caller="api:crm"),
    ]
    before = transaction.savepoint()
    alone, counted = one_by_one(*orders), guesses()
    transaction.savepoint_rollback(before)
    assert {outcome for outcome in alone if isinstance(outcome, str)} == {
        "pin_format",
        "voucher_refused",
        "redemption_wait",
        "account_closed",
        "currency_differs",
        "already_redeemed",
        "idempotency_key_reused",
        "not_prepaid",
        "not_found",
        "already_assigned",
    }
    outcomes = told(together(*orders))
    assert outcomes == alone
    assert guesses() == counted
    assert BundleAssignment.objects.filter(bundle__code="EXTRA").count() == 1
    assert_books_are_right()
    assert list(differences()) == []
    assert together() == []


def test_a_refused_credit_does_not_stop_the_other_credits():
    for number in range(1, 4):
        make_prepaid(number)
    pins = make_pins(2)
    (odd,) = make_pins(1, "odd", kind="data", value=5, tag="*default")
    done = together(
        *(
            RedeemOrder(account_of(number).pk, pin)
            for number, pin in zip(range(1, 4), [pins[0], odd, pins[1]], strict=True)
        )
    )
    assert isinstance(done[1], RedemptionRefused)
    assert [default_balance(number).amount_micros for number in (1, 2, 3)] == [
        1_000_000 + TEN,
        1_000_000,
        1_000_000 + TEN,
    ]
    assert guesses()[0][:2] == (f"account:{account_of(2).pk}", 1)
    # The refusal is not stored as the voucher's: nothing of its credit was kept.
    assert Voucher.objects.filter(status="active").count() == 1
    assert_books_are_right()


def test_guesses_of_a_caller_for_many_accounts_at_once_lock_it_at_the_same_one(settings):
    settings.VOUCHER_CALLER_TRIES = 3
    for number in range(1, 6):
        make_prepaid(number)
    orders = [
        RedeemOrder(account_of(number).pk, f"{number:016d}", caller="api:crm") for number in range(1, 6)
    ]
    assert told(together(*orders)) == ["voucher_refused"] * 3 + ["redemption_locked"] * 2
    assert RedemptionGuard.objects.get(subject="caller:api:crm").failures == 3


@pytest.mark.django_db(transaction=True)
def test_an_order_that_breaks_the_transaction_fails_alone(monkeypatch, settings):
    settings.CHARGING_PATIENCE_S = 0
    for number in range(1, 6):
        make_prepaid(number)
    pins = make_pins(5)
    poisoned = account_of(3).pk
    give = redeeming.charge_all

    def stumble(requests, now):
        if any(request.order.account_id == poisoned for request in requests):
            raise IntegrityError("nobody knows why")
        return give(requests, now)

    monkeypatch.setattr(redeeming, "charge_all", stumble)
    monkeypatch.setattr("apps.storage.retry.DEADLOCKS", 1)
    orders = [RedeemOrder(account_of(number).pk, pin) for number, pin in zip(range(1, 6), pins, strict=True)]
    done = together(*orders)
    assert [type(outcome) for outcome in done] == [Redemption] * 2 + [IntegrityError] + [Redemption] * 2
    assert default_balance(3).amount_micros == 1_000_000
    assert_books_are_right()


@pytest.mark.django_db(transaction=True)
def test_a_redemption_whose_audit_record_fails_is_rolled_back():
    make_prepaid(1)
    make_prepaid(2)
    orders = [
        RedeemOrder(account_of(number).pk, pin) for number, pin in zip((1, 2), make_pins(2), strict=True)
    ]

    def refuse(done: object) -> None:
        raise ValueError("it cannot be written down")

    assert [str(outcome) for outcome in together(*orders, also=refuse)] == ["it cannot be written down"] * 2
    assert default_balance(1).amount_micros == default_balance(2).amount_micros == 1_000_000
    assert not Voucher.objects.exclude(status="active").exists()
    assert all(one.value == TEN for one in together(*orders))
    assert_books_are_right()


@pytest.mark.django_db(transaction=True)
def test_a_lost_commit_is_found_by_its_key_and_recorded_once(monkeypatch):
    """The connection breaks after the commit: we got no answer."""
    make_prepaid(1)
    (pin,) = make_pins(1)
    run, runs, written = redeeming.Transaction.run, [], []

    def lose(self):
        runs.append(run(self))
        if len(runs) == 1:
            raise OperationalError(2013, "Lost connection to MySQL server during query")
        return runs[-1]

    monkeypatch.setattr(redeeming.Transaction, "run", lose)
    (done,) = together(RedeemOrder(account_of(1).pk, pin), also=lambda redeemed: written.extend(redeemed))
    assert (done.value, done.replayed) == (TEN, False)
    assert written == [0]
    assert default_balance(1).amount_micros == 1_000_000 + TEN
    assert_books_are_right()


@pytest.mark.django_db(transaction=True)
def test_a_redemption_is_recorded_when_a_lost_commit_had_not_gone_through(monkeypatch):
    make_prepaid(1)
    (pin,) = make_pins(1)
    atomic, lost, written = transaction.atomic, [], []

    @contextmanager
    def lose(durable=False):
        with atomic(durable=durable):
            yield
            if durable and not lost:
                lost.append(True)
                raise OperationalError(2013, "Lost connection to MySQL server during query")

    monkeypatch.setattr(redeeming.transaction, "atomic", lose)
    (done,) = together(
        RedeemOrder(account_of(1).pk, pin), also=lambda redeemed: written.append(list(redeemed))
    )
    assert (done.value, done.replayed, lost) == (TEN, False, [True])
    assert written == [[0], [0]], "the first went with its transaction"
    assert default_balance(1).amount_micros == 1_000_000 + TEN


@pytest.mark.django_db(transaction=True)
def test_without_a_database_many_wait_no_longer_than_one(monkeypatch, settings):
    settings.CHARGING_PATIENCE_S = 0
    runs = []

    def lose(self):
        runs.append(len(self.attempts))
        raise OperationalError(2006, "Server has gone away")

    for number in range(1, 9):
        make_prepaid(number)
    monkeypatch.setattr(redeeming.Transaction, "run", lose)
    done = together(*(RedeemOrder(account_of(number).pk, f"{number:016d}") for number in range(1, 9)))
    assert [type(outcome) for outcome in done] == [OperationalError] * 8
    assert runs == [8]
