"""Vouchers from generation to the ledger, and refusals on the way."""

from __future__ import annotations

import base64
import logging
from datetime import timedelta

import pytest

from apps.charging.models import Account, Balance, LedgerEntry
from apps.charging.services.audit import differences
from apps.kernel.errors import Conflict, InvalidInput, InvalidInputs, NotFound
from apps.subscribers.models import BundleAssignment
from apps.vouchers.domain.redemption import RedemptionRefused
from apps.vouchers.domain.vouchers import VoucherAction, pin_digest
from apps.vouchers.models import RedemptionGuard, Voucher, VoucherBatch
from apps.vouchers.selectors import VoucherFilter, select_voucher, select_vouchers
from apps.vouchers.services.batches import NewBatch, generate_batch
from apps.vouchers.services.changes import change_vouchers
from apps.vouchers.services.guards import lift_lock
from apps.vouchers.services.keys import KeysUnusable, add_key, key_ring
from apps.vouchers.services.redemption import redeem
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
END = NOW + timedelta(days=30)
TEN = 10_000_000


@pytest.fixture(autouse=True)
def own_keys(settings, tmp_path):
    settings.VOUCHER_KEY_FILE = tmp_path / "voucher_keys"


def make_batch(count: int = 3, key: str = "order", tenant=None, **more):
    order = NewBatch("Kiosk", count, more.pop("value", TEN), more.pop("expires_at", END), **more)
    return generate_batch(tenant or make_tenant(), order, NOW, key=key, by="ada")


def refusal(pin: str, at=NOW, **more) -> RedemptionRefused:
    with pytest.raises(RedemptionRefused) as raised:
        redeem(make_tenant(), pin, at, **{"account": account_of(), **more})
    return raised.value


def wrong(number: int) -> str:
    return f"{number:016d}"


def test_a_voucher_credits_the_account_that_pays_for_the_number_and_is_used_up():
    make_prepaid(1)
    made = make_batch()
    serial, pin = made.vouchers[0]
    done = redeem(make_tenant(), pin, NOW, msisdn=msisdn(1), key="k", caller="crm:web")
    assert (done.serial, done.value, done.currency, done.balance_micros) == (serial, TEN, "EUR", 11_000_000)
    assert default_balance().amount_micros == 11_000_000
    entry = LedgerEntry.objects.get(note=f"Voucher {serial}")
    assert (entry.kind, entry.book.code, entry.amount_micros) == ("top_up", "cash", TEN)
    voucher = select_voucher(make_tenant(), serial)
    assert (voucher.status, voucher.account, voucher.msisdn) == ("redeemed", account_of(), msisdn(1))
    assert (voucher.redeemed_at, voucher.cause) == (NOW, entry.cause)
    assert_books_are_right()
    assert list(differences()) == []


def test_a_repeat_under_its_key_answers_the_same_and_credits_nothing():
    make_prepaid()
    pin = make_batch().vouchers[0].pin
    first = redeem(make_tenant(), pin, NOW, account=account_of(), key="k")
    later = NOW + timedelta(days=3)
    again = redeem(make_tenant(), pin, later, account=account_of(), key="k")
    assert again == first._replace(replayed=True)
    assert default_balance().amount_micros == 11_000_000
    assert not RedemptionGuard.objects.exists()


def test_a_key_is_not_taken_for_another_pin_or_account():
    make_prepaid(1)
    make_prepaid(2)
    made = make_batch()
    redeem(make_tenant(), made.vouchers[0].pin, NOW, account=account_of(1), key="k")
    for pin, number in ((made.vouchers[1].pin, 1), (made.vouchers[0].pin, 2)):
        with pytest.raises(Conflict) as raised:
            redeem(make_tenant(), pin, NOW, account=account_of(number), key="k")
        assert raised.value.code == "idempotency_key_reused"


def test_the_answer_does_not_reveal_whether_a_pin_exists():
    make_prepaid(1)
    make_prepaid(2)
    made = make_batch(8)
    tenant, pins = make_tenant(), [voucher.pin for voucher in made.vouchers]
    serials = [voucher.serial for voucher in made.vouchers]
    redeem(tenant, pins[0], NOW, account=account_of(2))
    change_vouchers(tenant, VoucherAction.BLOCK, NOW, serials=[serials[1]])
    change_vouchers(tenant, VoucherAction.VOID, NOW, serials=[serials[2]])
    change_vouchers(tenant, VoucherAction.EXTEND, NOW, serials=[serials[3]], expires_at=NOW + timedelta(1))
    Voucher.objects.filter(serial=serials[4]).update(valid_from=NOW + timedelta(days=1))
    inactive = make_batch(1, "other", active=False).vouchers[0].pin
    other_tenants = make_batch(1, "foreign", make_tenant("mvno")).vouchers[0].pin
    answers = set()
    for pin, at in (
        (pins[0], NOW),
        (pins[1], NOW),
        (pins[2], NOW),
        (pins[3], NOW + timedelta(days=2)),
        (pins[4], NOW),
        (inactive, NOW),
        (other_tenants, NOW),
        (wrong(1), NOW),
    ):
        RedemptionGuard.objects.all().delete()
        error = refusal(pin, at)
        answers.add((error.code, error.message, error.where))
        assert RedemptionGuard.objects.get().failures == 1
    assert len(answers) == 1
    assert answers.pop()[0] == "voucher_refused"


def test_a_customer_who_redeems_twice_is_told_and_not_suspected():
    make_prepaid()
    pin = make_batch().vouchers[0].pin
    redeem(make_tenant(), pin, NOW, account=account_of())
    assert refusal(pin).code == "already_redeemed"
    assert not RedemptionGuard.objects.exists()


def test_wrong_pins_slow_an_account_down_then_lock_it_until_staff_lift_it():
    make_prepaid(1)
    make_prepaid(2)
    pins = [voucher.pin for voucher in make_batch().vouchers]
    now = NOW
    for number in range(3):
        assert refusal(wrong(number), now).code == "voucher_refused"
    waiting = refusal(pins[0], now)
    assert (waiting.code, waiting.wait_s) == ("redemption_wait", 5)
    assert RedemptionGuard.objects.get().failures == 3, "a try while waiting does not count"
    for number in range(3, 10):
        now += timedelta(seconds=3600)
        assert refusal(wrong(number), now).code == "voucher_refused"
    assert refusal(pins[0], now + timedelta(days=400)).code == "redemption_locked"
    assert redeem(make_tenant(), pins[1], now, account=account_of(2)).value == TEN
    lift_lock(make_tenant(), f"account:{account_of().pk}", now, by="ada", reason="showed a passport")
    assert redeem(make_tenant(), pins[0], now, account=account_of()).value == TEN
    guard = RedemptionGuard.objects.get()
    assert (guard.lifted_by, guard.lift_reason, guard.locked_at) == ("ada", "showed a passport", None)


def test_a_right_pin_resets_the_accounts_wrong_ones():
    make_prepaid()
    pin = make_batch().vouchers[0].pin
    for number in range(2):
        refusal(wrong(number))
    redeem(make_tenant(), pin, NOW, account=account_of())
    assert RedemptionGuard.objects.get().failures == 0


def test_a_caller_who_guesses_on_many_accounts_is_locked_out(settings):
    settings.VOUCHER_CALLER_TRIES = 5
    for number in range(1, 4):
        make_prepaid(number)
    pin = make_batch().vouchers[0].pin
    for number in range(5):
        refusal(wrong(number), account=account_of(1 + number % 3), caller="crm:evil")
    assert refusal(pin, account=account_of(3), caller="crm:evil").code == "redemption_locked"
    assert redeem(make_tenant(), pin, NOW, account=account_of(3), caller="crm:good").value == TEN


def test_a_voucher_that_an_account_cannot_take_is_refused_with_the_reason_and_stays_good():
    make_prepaid()
    pin = make_batch(currency="USD").vouchers[0].pin
    assert refusal(pin).code == "currency_differs"
    assert Voucher.objects.filter(status="active").count() == 3
    Account.objects.update(mode="postpaid")
    assert refusal(pin).code == "not_prepaid"
    Account.objects.update(mode="prepaid", closed_at=NOW)
    assert refusal(pin).code == "account_closed"
    assert default_balance().amount_micros == 1_000_000


def test_units_go_to_a_balance_of_their_own_that_ends_in_time():
    make_prepaid()
    pin = make_batch(kind="voice", value=3_600, balance_days=7, book="promotion").vouchers[0].pin
    done = redeem(make_tenant(), pin, NOW, account=account_of())
    balance = Balance.objects.get(tag="voucher-voice")
    assert (done.kind, done.value, done.balance_micros) == ("voice", 3_600, 1_000_000)
    assert (balance.units, balance.expires_at) == (3_600, NOW + timedelta(days=7))
    assert LedgerEntry.objects.get(units=3_600).book.code == "promotion"
    assert list(differences()) == []


def test_a_bundle_is_given_for_its_days_alone_or_with_money():
    subscriber = make_prepaid()
    make_bundle("GIG", data=1_000)
    pin = make_batch(value=0, bundle="GIG", bundle_days=30).vouchers[0].pin
    done = redeem(make_tenant(), pin, NOW, account=account_of())
    assert (done.bundle, done.value, done.balance_micros) == ("GIG", 0, 1_000_000)
    given = BundleAssignment.objects.get(subscriber=subscriber)
    assert (given.start, given.end) == (NOW, NOW + timedelta(days=30))
    second = make_batch(1, "more", bundle="GIG", bundle_days=30).vouchers[0].pin
    assert refusal(second).code == "already_assigned"
    assert default_balance().amount_micros == 1_000_000, "neither the bundle nor the money"
    assert list(differences()) == []


def test_unknown_numbers_and_other_tenants_are_not_found():
    make_prepaid()
    pin = make_batch().vouchers[0].pin
    with pytest.raises(NotFound):
        redeem(make_tenant(), pin, NOW, msisdn="4900000")
    for whose in ({"msisdn": msisdn()}, {"account": account_of()}):
        with pytest.raises(NotFound):
            redeem(make_tenant("mvno"), pin, NOW, **whose)
    with pytest.raises(InvalidInput):
        redeem(make_tenant(), pin, NOW)
    with pytest.raises(InvalidInput):
        redeem(make_tenant(), "12", NOW, account=account_of())


def test_pins_appear_only_in_the_result_of_generation(caplog, capsys):
    make_prepaid()
    caplog.set_level(logging.DEBUG)
    made = make_batch(20)
    redeem(make_tenant(), made.vouchers[0].pin, NOW, account=account_of(), caller="crm:x")
    errors = [str(refusal(voucher.pin, account=account_of())) for voucher in made.vouchers[:1]]
    rows = [
        str(list(model.objects.values())) for model in (Voucher, VoucherBatch, LedgerEntry, RedemptionGuard)
    ]
    text = "".join([caplog.text, *capsys.readouterr(), *rows, *errors, repr(made), repr(made.vouchers[0])])
    assert not [voucher.pin for voucher in made.vouchers if voucher.pin in text]


def test_an_order_generates_once():
    make_batch(2, "the-order")
    with pytest.raises(Conflict) as raised:
        make_batch(2, "the-order")
    assert raised.value.code == "already_generated"
    assert raised.value.where == str(VoucherBatch.objects.get().pk)
    assert Voucher.objects.count() == 2
    make_batch(2, "the-order", make_tenant("mvno"))


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"count": 0}, "count"),
        ({"count": 10**9}, "count"),
        ({"value": 0}, "value"),
        ({"value": -1}, "value"),
        ({"expires_at": NOW}, "expires_at"),
        ({"valid_from": END}, "expires_at"),
        ({"kind": "gold"}, "kind"),
        ({"currency": "euro"}, "currency"),
        ({"book": "revenue"}, "book"),
        ({"balance_days": 0}, "balance_days"),
        ({"bundle_days": 3}, "bundle_days"),
        ({"tag": "x" * 65}, "tag"),
        ({"key": ""}, "key"),
    ],
)
def test_invalid_orders_are_refused_field_by_field(wrong, where):
    with pytest.raises(InvalidInputs) as raised:
        make_batch(**{"key": "k", **wrong})
    assert where in {problem.where for problem in raised.value.problems}
    assert not VoucherBatch.objects.exists()


def test_a_bundle_with_a_fee_or_of_another_tenant_is_not_sold_by_voucher():
    make_bundle("PAID", fee_micros=TEN, data=1)
    make_bundle("THEIRS", tenant=make_tenant("mvno"), data=1)
    with pytest.raises(InvalidInput, match="monthly fee"):
        make_batch(bundle="PAID", bundle_days=1)
    with pytest.raises(NotFound):
        make_batch(bundle="THEIRS", bundle_days=1)


def test_a_pin_in_use_is_never_given_again_not_even_under_another_key():
    tenant = make_tenant()
    numbers = [11, 11, 12, 12, 13]

    def draw(_: int) -> int:
        return numbers.pop(0)

    def generate(key: str) -> str:
        order = NewBatch("one", 1, TEN, END)
        return generate_batch(tenant, order, NOW, key=key, randbelow=draw).vouchers[0].pin

    assert generate("a").endswith("11")
    assert generate("b").endswith("12")
    add_key()
    assert generate("c").endswith("13")
    assert numbers == []


def test_vouchers_of_an_older_key_stay_good_and_new_ones_have_the_new_key():
    make_prepaid()
    old = make_batch(1, "a").vouchers[0]
    assert add_key() == "k2"
    new = make_batch(1, "b").vouchers[0]
    assert [Voucher.objects.get(serial=voucher.serial).pin_key for voucher in (old, new)] == ["k1", "k2"]
    for voucher in (old, new):
        redeem(make_tenant(), voucher.pin, NOW, account=account_of())
    assert default_balance().amount_micros == 21_000_000


def test_the_key_file_is_its_owners_alone_and_the_environment_comes_first(settings, tmp_path):
    first = key_ring()
    path = tmp_path / "voucher_keys"
    assert path.stat().st_mode & 0o777 == 0o600
    assert key_ring() == first
    one, other = (base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))
    settings.VOUCHER_KEYS = f"b:{one},a:{other}"
    assert key_ring().current == "b"
    assert key_ring().keys == {"b": b"\1" * 32, "a": b"\2" * 32}
    with pytest.raises(Conflict):
        add_key()
    for bad in ("a:zzz", "a:AAAA", f":{one}", f"a:{one},a:{other}", f"{'x' * 17}:{one}"):
        settings.VOUCHER_KEYS = bad
        with pytest.raises(KeysUnusable) as raised:
            key_ring()
        assert one not in str(raised.value)


def test_the_keyed_hash_is_stored():
    made = make_batch(1)
    ring, row = key_ring(), Voucher.objects.get()
    assert row.pin_hash == pin_digest(ring.keys["k1"], row.tenant_id, made.vouchers[0].pin)


def test_vouchers_are_blocked_unblocked_extended_and_voided_by_serial_or_batch():
    made = make_batch(4, active=False)
    tenant, serials, batch = make_tenant(), [voucher.serial for voucher in made.vouchers], made.batch.pk
    assert change_vouchers(tenant, VoucherAction.ACTIVATE, NOW, batch_id=batch) == 4
    assert (
        change_vouchers(tenant, VoucherAction.BLOCK, NOW, serials=serials[:2], reason="stolen", by="ada") == 2
    )
    row = select_voucher(tenant, serials[0])
    assert (row.status, row.reason, row.changed_by) == ("blocked", "stolen", "ada")
    assert change_vouchers(tenant, VoucherAction.UNBLOCK, NOW, batch_id=batch) == 2
    later = END + timedelta(days=9)
    assert change_vouchers(tenant, VoucherAction.EXTEND, NOW, serials=serials[:1], expires_at=later) == 1
    assert [voucher.expires_at for voucher in select_vouchers(tenant, VoucherFilter(), NOW)][:2] == [
        later,
        END,
    ]
    assert change_vouchers(tenant, VoucherAction.VOID, NOW, serials=serials[3:]) == 1
    with pytest.raises(Conflict, match="is void"):
        change_vouchers(tenant, VoucherAction.BLOCK, NOW, serials=serials)
    assert {
        voucher.status for voucher in select_vouchers(tenant, VoucherFilter(status="blocked"), NOW)
    } == set()
    with pytest.raises(NotFound):
        change_vouchers(tenant, VoucherAction.BLOCK, NOW, serials=["000000-0000000"])
    with pytest.raises(NotFound):
        change_vouchers(make_tenant("mvno"), VoucherAction.BLOCK, NOW, batch_id=batch)
    with pytest.raises(InvalidInput):
        change_vouchers(tenant, VoucherAction.BLOCK, NOW)
    with pytest.raises(InvalidInput):
        change_vouchers(tenant, VoucherAction.EXTEND, NOW, serials=serials)


def test_expired_vouchers_can_be_extended_but_not_unblocked():
    make_prepaid()
    made = make_batch(1)
    tenant, (serial, pin), late = make_tenant(), made.vouchers[0], END + timedelta(days=1)
    assert select_voucher(tenant, serial).status_at(late) == "expired"
    with pytest.raises(Conflict, match="is expired"):
        change_vouchers(tenant, VoucherAction.BLOCK, late, serials=[serial])
    change_vouchers(tenant, VoucherAction.EXTEND, late, serials=[serial], expires_at=late + timedelta(days=1))
    assert redeem(tenant, pin, late, account=account_of()).serial == serial


def test_vouchers_are_found_by_batch_status_serial_account_and_number_and_page_by_page():
    make_prepaid()
    first, second = make_batch(3, "a"), make_batch(2, "b")
    tenant = make_tenant()
    redeem(tenant, first.vouchers[1].pin, NOW, msisdn=msisdn())
    change_vouchers(tenant, VoucherAction.BLOCK, NOW, serials=[first.vouchers[2].serial])

    def serials(at=NOW, **wanted) -> list[str]:
        return [voucher.serial for voucher in select_vouchers(tenant, VoucherFilter(**wanted), at)]

    of_first = [voucher.serial for voucher in first.vouchers]
    assert serials(batch_id=first.batch.pk) == of_first
    assert serials(batch_id=first.batch.pk, status="active") == of_first[:1]
    assert serials(status="redeemed") == serials(account_id=account_of().pk) == serials(msisdn=msisdn())
    assert serials(status="redeemed") == of_first[1:2]
    assert serials(status="expired") == []
    assert set(serials(END, status="expired")) == {
        of_first[0],
        of_first[2],
        *(v.serial for v in second.vouchers),
    }
    assert serials(END, status="blocked") == []
    assert serials(serial=of_first[0][:6]) == of_first
    with pytest.raises(InvalidInput):
        serials(status="lost")
    page = select_vouchers(tenant, VoucherFilter(), NOW, limit=2)
    rest = select_vouchers(tenant, VoucherFilter(), NOW, after_id=page[-1].pk)
    assert [voucher.serial for voucher in page + rest] == of_first + [v.serial for v in second.vouchers]
    assert select_vouchers(make_tenant("mvno"), VoucherFilter(), NOW) == []


def test_the_audit_finds_a_voucher_that_credited_nothing():
    make_prepaid()
    made = make_batch(1)
    redeem(make_tenant(), made.vouchers[0].pin, NOW, account=account_of())
    Voucher.objects.update(cause="nothing")
    (found,) = differences()
    assert str(found) == (
        f"voucher {made.vouchers[0].serial}: value credited to its account is {TEN}, its rows make 0"
    )


def test_a_subscriber_of_an_account_with_several_names_the_number_for_a_bundle():
    make_prepaid(1)
    subscriber = make_subscriber(
        2, price_plan="PLAN", mode="prepaid", customer_number="C1", account_number="C1"
    )
    make_bundle("GIG", data=1_000)
    pin = make_batch(1, bundle="GIG", bundle_days=3).vouchers[0].pin
    assert refusal(pin).code == "msisdn_needed"
    assert redeem(make_tenant(), pin, NOW, msisdn=msisdn(2)).bundle == "GIG"
    assert BundleAssignment.objects.get().subscriber == subscriber
