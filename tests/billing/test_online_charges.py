"""Money that gateways debited from postpaid accounts: on the next bill, once, as it was debited."""

from __future__ import annotations

import itertools
from datetime import datetime

import pytest
import time_machine
from django.core.management import call_command
from django.utils.dateparse import parse_date

from apps.billing.domain.values import OTHER_DEBITS, PAID_FROM_BALANCE
from apps.billing.models import Bill, BillLine, TaxRule
from apps.billing.selectors.charged_online import A_SECOND, owed_in_cycle
from apps.billing.selectors.preview import preview_account
from apps.charging.domain.requests import OnlineRequest, Operation, RequestItem, Result
from apps.charging.models import Balance, LedgerEntry
from apps.charging.services.audit import differences
from apps.charging.services.executor import charge_now, forget_directory
from apps.charging.services.ledger import post
from apps.kernel.periods import Month
from apps.rating.services.publishing import publish
from apps.subscribers.models import Subscriber
from tests.billing.scenes import EURO, NEW_YEAR, Usage, at, lines_add_up, month, people, run, store
from tests.charging.stored import msisdn
from tests.factories import make_cycle

pytestmark = pytest.mark.django_db
_numbers = itertools.count(1)


@pytest.fixture
def cycle():
    return make_cycle(1)


@pytest.fixture
def one(cycle) -> Subscriber:
    (subscriber,) = people(1, mode="postpaid")
    publish(NEW_YEAR)
    forget_directory()
    return subscriber


def pay(cents: int, when: datetime, service: str = "sms", *, back: bool = False) -> None:
    operation = Operation.REFUND if back else Operation.EVENT
    item = RequestItem(service, money_micros=cents * 10_000, money_currency="EUR")
    number = next(_numbers)
    request = OnlineRequest(operation, f"shop;{number}", 0, when, msisdn=msisdn(), items=(item,))
    answer = charge_now(request, when)
    assert answer.result is Result.SUCCESS, answer
    assert answer.items[0].result is Result.SUCCESS, answer


def lines(bill: Bill) -> dict[str, int]:
    return {
        line.description: line.amount_micros for line in BillLine.objects.filter(bill=bill, kind="online")
    }


def balance() -> int:
    return Balance.objects.get(tag="*default").amount_micros


def test_they_are_on_the_bill_of_their_period_by_service_and_the_balance_owes_them_no_more(cycle, one):
    pay(499, at(1, 10))
    pay(100, at(1, 11))
    pay(50, at(1, 12), "data")
    pay(999, at(2, 1))
    store([Usage(one, at(1, 9), 3 * EURO)])
    assert balance() == -1_648 * 10_000
    run(cycle, month(1, cycle), at(2, 2))
    bill = Bill.objects.get()
    assert lines(bill) == {"SMS": 5_990_000, "Data": 500_000}
    assert bill.total_micros == 3 * EURO + 6_490_000
    assert balance() == -9_990_000
    entry = LedgerEntry.objects.get(kind="billed")
    assert (entry.amount_micros, entry.book.code) == (6_490_000, "receivables")
    assert lines_add_up()
    assert list(differences()) == []


def test_each_is_on_one_bill_however_late_it_is_booked(cycle, one):
    pay(100, at(1, 10))
    pay(200, at(2, 1, 0))
    run(cycle, month(1, cycle), at(2, 3))
    pay(400, at(1, 30))
    pay(800, at(2, 10))
    for number in (2, 3):
        run(cycle, month(number, cycle), at(number + 1, 2))
    assert [bill.one_off_micros for bill in Bill.objects.order_by("period_end")] == [EURO, 14 * EURO, 0]
    assert balance() == 0


def test_amounts_are_what_the_customer_agreed_to_with_their_taxes_in_them(cycle, one):
    TaxRule.objects.create(
        tenant=cycle.tenant, name="VAT", rate_millionths=190_000, valid_from=parse_date("2020-01-01")
    )
    pay(499, at(1, 10))
    store([Usage(one, at(1, 9), 1 * EURO)])
    run(cycle, month(1, cycle))
    bill = Bill.objects.get()
    assert (bill.one_off_micros, bill.tax_micros) == (4_190_000, 190_000 + 800_000)
    assert LedgerEntry.objects.get(kind="billed").amount_micros == 4_990_000
    contained = BillLine.objects.get(kind="tax", origin="online")
    assert (contained.base_micros, contained.amount_micros) == (4_190_000, 800_000)
    assert lines_add_up()


def test_what_is_finer_than_a_cent_stays_on_the_balance_until_it_is_payable(cycle, one):
    account = one.payer.account
    for number in (1, 2, 3):
        post(
            account,
            -2_394_000,
            kind="usage",
            book="usage",
            cause=f"shop:{number}",
            at=at(number, 10),
            note="sms",
        )
        run(cycle, month(number, cycle))
    totals = list(Bill.objects.order_by("period_end").values_list("total_micros", flat=True))
    assert totals == [2_390_000, 2_390_000, 2_400_000]
    assert (sum(totals), balance()) == (7_180_000, -2_000)
    billed = LedgerEntry.objects.filter(kind="billed").values_list("amount_micros", flat=True)
    assert sorted(billed) == totals


def test_a_refund_lowers_the_bill_and_one_after_it_stays_on_the_balance_for_the_next_debits(cycle, one):
    pay(500, at(1, 10))
    pay(200, at(1, 11), back=True)
    run(cycle, month(1, cycle))
    pay(300, at(2, 11), back=True)
    run(cycle, month(2, cycle))
    assert balance() == 3 * EURO
    pay(500, at(3, 11))
    run(cycle, month(3, cycle))
    assert [bill.total_micros for bill in Bill.objects.order_by("period_end")] == [3 * EURO, 0, 2 * EURO]
    assert balance() == 0


def test_a_refund_that_was_paid_out_does_not_lower_later_debits(cycle, one):
    account = one.payer.account
    pay(300, at(1, 10))
    run(cycle, month(1, cycle))
    pay(300, at(2, 11), back=True)
    post(account, -3 * EURO, kind="adjustment", book="cash", cause="paid out", at=at(2, 12))
    run(cycle, month(2, cycle))
    pay(500, at(3, 11))
    run(cycle, month(3, cycle))
    assert [bill.total_micros for bill in Bill.objects.order_by("period_end")] == [3 * EURO, 0, 5 * EURO]
    assert balance() == 0


def test_what_staff_took_off_the_balance_is_owed_under_a_line_of_its_own(cycle, one):
    post(one.payer.account, -4 * EURO, kind="adjustment", book="correction", cause="lost phone", at=at(1, 9))
    pay(100, at(1, 10))
    run(cycle, month(1, cycle))
    assert lines(Bill.objects.get()) == {"SMS": EURO, OTHER_DEBITS: 4 * EURO}
    assert balance() == 0


@pytest.mark.parametrize(("paid_in", "billed", "left"), [(2, 3, 0), (5, 0, 0), (6, 0, 1)])
def test_what_was_paid_in_before_the_run_is_not_billed(cycle, one, paid_in, billed, left):
    pay(500, at(1, 10))
    post(one.payer.account, paid_in * EURO, kind="top_up", book="cash", cause="counter:1", at=at(2, 1))
    run(cycle, month(1, cycle), at(2, 2))
    assert Bill.objects.get().total_micros == billed * EURO
    assert balance() == left * EURO
    assert list(differences()) == []


def test_what_the_balance_held_is_not_charged_again(cycle, one):
    post(one.payer.account, 2 * EURO, kind="top_up", book="cash", cause="counter:1", at=at(1, 2))
    pay(500, at(1, 10))
    run(cycle, month(1, cycle))
    bill = Bill.objects.get()
    assert lines(bill) == {"SMS": 5 * EURO, PAID_FROM_BALANCE: -2 * EURO}
    assert bill.total_micros == 3 * EURO
    assert balance() == 0


def test_money_on_a_balance_without_charges_stays_there(cycle, one):
    post(one.payer.account, 2 * EURO, kind="top_up", book="cash", cause="counter:1", at=at(1, 2))
    run(cycle, month(1, cycle))
    assert Bill.objects.get().total_micros == 0
    assert balance() == 2 * EURO


def test_a_preview_shows_them_and_changes_nothing(cycle, one):
    pay(499, at(1, 10))
    shown = preview_account(one.payer.account_id, at(2, 2), Month(2026, 1))
    assert shown.total_micros == 4_990_000
    assert balance() == -4_990_000
    run(cycle, month(1, cycle))
    assert Bill.objects.get().total_micros == 4_990_000


def test_what_the_next_bills_take_over_is_told_before_they_do(cycle, one, capsys):
    pay(499, at(1, 10))
    pay(999, at(2, 10))
    with time_machine.travel(at(2, 20), tick=False):
        call_command("owedonline", "1")
        run(cycle, month(1, cycle), at(2, 20))
        call_command("owedonline")
    account = one.payer.account.number
    first, total, after = (line.split() for line in capsys.readouterr().out.splitlines())
    assert first == [account, "4.99", "EUR", "never", "taken", "over", "before"]
    assert (total[2:5], after[2:5]) == (["1", "accounts", "owe"], ["0", "accounts", "owe"])
    (row,) = owed_in_cycle(cycle, month(2, cycle).end)
    assert (row.owed_micros, row.last) == (9_990_000, month(1, cycle).end - A_SECOND)
