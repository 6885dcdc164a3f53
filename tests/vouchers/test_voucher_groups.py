"""Vouchers redeemed together: what is plain is done in one transaction, what is not is left alone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError

from apps.charging.models import Account, LedgerEntry
from apps.charging.services.audit import differences
from apps.kernel.errors import Conflict
from apps.vouchers.domain.vouchers import VoucherAction
from apps.vouchers.models import RedemptionGuard, Voucher
from apps.vouchers.services import groups
from apps.vouchers.services.batches import NewBatch, change_vouchers, generate_batch
from apps.vouchers.services.groups import Asked, redeem_together
from apps.vouchers.services.keys import add_key
from apps.vouchers.services.redemption import RedemptionRefused, redeem
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


def together(*asked: Asked, at=NOW, **more) -> list[object]:
    return redeem_together(make_tenant().pk, asked, at, **more)


def test_vouchers_of_many_accounts_are_credited_together_as_each_would_be_alone():
    for number in range(1, 5):
        make_prepaid(number)
    pins = make_pins(3)
    add_key()
    units = make_pins(1, "units", kind="voice", value=600, balance_days=10)
    asked = [
        Asked(account_of(number).pk, pin, msisdn(number), key, "api:crm")
        for number, pin, key in zip(
            range(1, 5), [*pins[:2], units[0], pins[2]], ["k1", "", "k3", ""], strict=True
        )
    ]
    written: list[object] = []
    done = together(*asked, also=written.append)
    assert [one.account_id for one in done] == [one.account_id for one in asked]
    assert [(one.kind, one.value, one.balance_micros) for one in done] == [
        ("monetary", TEN, 1_000_000 + TEN),
        ("monetary", TEN, 1_000_000 + TEN),
        ("voice", 600, 1_000_000),
        ("monetary", TEN, 1_000_000 + TEN),
    ]
    assert written == [dict(enumerate(done))]
    vouchers = {voucher.serial: voucher for voucher in Voucher.objects.all()}
    for one, wanted in zip(done, asked, strict=True):
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
    # A repeat under its key gets the same, by the one way or the other, and credits nothing.
    assert together(asked[0]) == [None]
    assert redeem(make_tenant(), pins[0], NOW, account=account_of(1), key="k1") == done[0]._replace(
        replayed=True
    )
    assert default_balance(1).amount_micros == 1_000_000 + TEN


def test_what_is_not_plain_is_left_alone_and_nothing_is_counted():
    for number in range(1, 9):
        make_prepaid(number)
    make_subscriber(20, mode="postpaid")
    mvno = make_tenant("mvno")
    pins = make_pins(9)
    make_bundle("EXTRA", voice=10)
    (bundled,) = make_pins(1, "bundled", value=0, bundle="EXTRA", bundle_days=5)
    (sleeping,) = make_pins(1, "sleeping", active=False)
    (theirs,) = make_pins(1, "theirs", tenant=mvno)
    accounts = [account_of(number) for number in range(1, 9)]
    used = redeem(make_tenant(), pins[8], NOW, account=accounts[7], key="used")
    assert used.value == TEN
    Account.objects.filter(pk=accounts[2].pk).update(closed_at=NOW)
    Account.objects.filter(pk=accounts[3].pk).update(currency="USD")
    # Somebody has guessed for this one.
    with pytest.raises(RedemptionRefused):
        redeem(make_tenant(), "0" * 16, NOW, account=accounts[4])
    done = together(
        Asked(accounts[0].pk, pins[0]),
        Asked(accounts[0].pk, pins[1]),
        Asked(accounts[1].pk, pins[0]),
        Asked(accounts[1].pk, "12"),
        Asked(accounts[1].pk, "1" * 16),
        Asked(accounts[2].pk, pins[2]),
        Asked(accounts[3].pk, pins[3]),
        Asked(accounts[4].pk, pins[4]),
        Asked(accounts[5].pk, bundled),
        Asked(accounts[6].pk, sleeping),
        Asked(accounts[7].pk, pins[8]),
        Asked(accounts[7].pk, pins[5], key="used"),
        Asked(Account.objects.get(mode="postpaid").pk, pins[6]),
        Asked(999_999, pins[7]),
        Asked(accounts[5].pk, theirs),
    )
    assert done[0].value == TEN
    assert done[1:] == [None] * 14
    assert set(Voucher.objects.filter(status="redeemed").values_list("account_id", flat=True)) == {
        accounts[0].pk,
        accounts[7].pk,
    }
    assert RedemptionGuard.objects.get().failures == 1
    assert together() == []
    # Each finds out by itself what is the matter.
    with pytest.raises(RedemptionRefused) as refused:
        redeem(make_tenant(), pins[2], NOW, account=Account.objects.get(pk=accounts[2].pk))
    assert refused.value.code == "account_closed"
    with pytest.raises(Conflict):
        redeem(make_tenant(), pins[5], NOW, account=accounts[7], key="used")


def test_blocked_and_expired_vouchers_and_callers_who_guessed_too_often_are_left_alone(settings):
    settings.VOUCHER_CALLER_TRIES = 2
    make_prepaid(1)
    make_prepaid(2)
    pins = make_pins(3)
    one, two = account_of(1), account_of(2)
    change_vouchers(
        make_tenant(), VoucherAction.BLOCK, NOW, serials=[Voucher.objects.order_by("pk")[0].serial]
    )
    assert together(Asked(one.pk, pins[0])) == [None]
    assert together(Asked(one.pk, pins[1]), at=NOW + timedelta(days=31)) == [None]
    for number in (1, 2):
        with pytest.raises(RedemptionRefused):
            redeem(make_tenant(), f"{number:016d}", NOW, account=two, caller="api:crm")
    assert together(Asked(one.pk, pins[1], caller="api:crm")) == [None]
    (done,) = together(Asked(one.pk, pins[1], caller="api:other"))
    assert done.value == TEN


@pytest.mark.parametrize("fault", [IntegrityError("the same key"), None])
def test_all_of_it_is_undone_where_something_goes_wrong_on_the_way(monkeypatch, fault):
    make_prepaid(1)
    make_prepaid(2)
    pins = make_pins(2)

    def stumble(*_: object, **__: object) -> int:
        if fault is not None:
            raise fault
        return 1

    monkeypatch.setattr(groups, "update_rows", stumble)
    asked = [Asked(account_of(number).pk, pin) for number, pin in zip((1, 2), pins, strict=True)]
    assert together(*asked) == [None, None]
    monkeypatch.undo()
    assert default_balance(1).amount_micros == default_balance(2).amount_micros == 1_000_000
    assert not Voucher.objects.exclude(status="active").exists()

    def refuse(done: object) -> None:
        raise ValueError("it cannot be written down")

    with pytest.raises(ValueError, match="written down"):
        together(*asked, also=refuse)
    assert_books_are_right()
    assert all(one.value == TEN for one in together(*asked))
    assert_books_are_right()
