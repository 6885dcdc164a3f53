"""Credits: what passes to the next bill, and bills that are cancelled by a credit note and issued again."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.db.models import Sum
from django.utils.dateparse import parse_date

from apps.billing.models import Bill, BillingAccount, BillLine, OneOffCharge, Payment, TaxRule
from apps.billing.selectors.preview import preview_account
from apps.billing.services import cancelling
from apps.billing.services.cancelling import cancel_bill
from apps.billing.services.payments import issue_bill, record_payment
from apps.charging.models import Balance, LedgerEntry
from apps.charging.services.audit import differences
from apps.charging.services.ledger import post
from apps.kernel.errors import Conflict, InvalidInput
from tests.billing.scenes import EURO, Usage, at, lines_add_up, month, people, run, store
from tests.factories import make_cycle, make_plan

pytestmark = pytest.mark.django_db


@pytest.fixture
def cycle():
    return make_cycle(1)


@pytest.fixture
def one(cycle):
    TaxRule.objects.create(
        tenant=cycle.tenant, name="VAT", rate_millionths=190_000, valid_from=parse_date("2020-01-01")
    )
    (subscriber,) = people(1, plan=make_plan("PLAN", fee_micros=10 * EURO))
    return subscriber


def credit(one, euros: int, when) -> None:
    OneOffCharge.objects.create(
        account=one.payer.account, at=when, description="Returned", amount_micros=-euros * EURO
    )


def bills() -> list[Bill]:
    return list(Bill.objects.order_by("pk"))


def paid(bill: Bill) -> int:
    return bill.payments.aggregate(paid=Sum("amount_micros"))["paid"] or 0


def test_a_credit_pays_the_bills_that_follow_until_it_is_used_up(cycle, one):
    credit(one, 25, at(1, 10))
    run(cycle, month(1, cycle))
    seen = preview_account(one.payer.account_id, at(3, 1, 6))
    run(cycle, month(2, cycle))
    run(cycle, month(3, cycle))
    january, february, march = bills()
    # -15 and VAT; then 11.90 each month.
    assert [bill.total_micros for bill in bills()] == [-17_850_000, 11_900_000, 11_900_000]
    assert (seen.total_micros, seen.credit_micros) == (11_900_000, 11_900_000)
    assert [paid(bill) for bill in bills()] == [-17_850_000, 11_900_000, 5_950_000]
    assert Payment.objects.aggregate(sum=Sum("amount_micros"))["sum"] == 0
    assert february.payments.get().other_bill == january
    for bill in (february, march):
        issue_bill(bill.pk)
        bill.refresh_from_db()
    assert (february.status, march.status) == ("paid", "unpaid")


def test_what_was_paid_out_of_a_credit_is_not_used_again(cycle, one):
    credit(one, 25, at(1, 10))
    run(cycle, month(1, cycle))
    record_payment(bills()[0].pk, -10 * EURO, "paid out", at(2, 2))
    run(cycle, month(2, cycle))
    assert paid(bills()[1]) == 7_850_000


def test_a_credit_note_takes_back_every_line_and_tax_under_a_number_of_its_own(cycle, one):
    store([Usage(one, at(1, 5), 1_234_567)])
    run(cycle, month(1, cycle))
    (bill,) = bills()
    note = cancel_bill(bill.pk, "wrong price", at(2, 3)).credit_note
    assert (note.number, note.kind, note.corrects, note.total_micros) == (
        "C2026-00000001",
        "credit",
        bill,
        -bill.total_micros,
    )
    fields = ("kind", "amount_micros", "exact_micros", "base_micros", "tax_category", "tax_rate_millionths")
    original = list(bill.lines.order_by("number").values_list("pk", *fields))
    taken = list(note.lines.order_by("number").values_list("corrects_id", *fields))
    assert taken == [
        (pk, kind, -amount, -exact, None if base is None else -base, *tax)
        for pk, kind, amount, exact, base, *tax in original
    ]
    bill.refresh_from_db()
    assert (bill.status, bill.current, note.current) == ("cancelled", None, None)
    assert lines_add_up()
    with pytest.raises(Conflict, match="C2026-00000001"):
        cancel_bill(bill.pk, "once more", at(2, 4))
    with pytest.raises(Conflict, match="is cancelled"):
        record_payment(bill.pk, EURO, "late", at(2, 5))


def test_usage_fees_and_charges_of_a_cancelled_bill_are_on_the_one_that_is_issued_again(cycle, one):
    store([Usage(one, at(1, 5), 2 * EURO)])
    OneOffCharge.objects.create(
        account=one.payer.account, at=at(1, 10), description="SIM", amount_micros=5 * EURO
    )
    run(cycle, month(1, cycle))
    (bill,) = bills()
    store([Usage(one, at(1, 6), 3 * EURO)])
    done = cancel_bill(bill.pk, "a file was missing", at(2, 3), again=True)
    successor = done.successor
    assert successor is not None
    assert (successor.period_start, successor.period_end, successor.number) == (
        bill.period_start,
        bill.period_end,
        "2026-00000002",
    )
    assert (successor.recurring_micros, successor.usage_micros, successor.one_off_micros) == (
        *(10 * EURO, 5 * EURO, 5 * EURO),
    )
    assert OneOffCharge.objects.get().bill == successor
    run(cycle, month(2, cycle))
    assert bills()[-1].usage_micros == 0


def test_a_bill_that_is_not_issued_again_at_once_is_on_the_next_run(cycle, one):
    store([Usage(one, at(1, 5), 2 * EURO)])
    run(cycle, month(1, cycle))
    before = BillingAccount.objects.values("billing_from").get()["billing_from"]
    cancel_bill(bills()[0].pk, "wrong address", at(2, 3))
    assert BillingAccount.objects.values_list("billed_until", "billing_from").get() == (None, before)
    run(cycle, month(2, cycle))
    bill = bills()[-1]
    assert (bill.period_start, bill.usage_micros, bill.recurring_micros) == (before, 2 * EURO, 20 * EURO)


def test_what_was_paid_for_a_cancelled_bill_pays_its_successor(cycle, one):
    credit(one, 3, at(1, 10))
    run(cycle, month(1, cycle))
    (bill,) = bills()
    record_payment(bill.pk, bill.total_micros, "bank:1", at(2, 2))
    OneOffCharge.objects.create(
        account=one.payer.account, at=at(1, 11), description="Refund", amount_micros=-EURO
    )
    done = cancel_bill(bill.pk, "refund forgotten", at(2, 3), again=True)
    successor = done.successor
    assert successor is not None
    assert successor.total_micros == bill.total_micros - 1_190_000
    assert paid(successor) == successor.total_micros
    assert paid(done.credit_note) - done.credit_note.total_micros == 1_190_000
    run(cycle, month(2, cycle))
    assert paid(bills()[-1]) == 1_190_000


def test_an_unpaid_bill_and_its_credit_note_settle_each_other(cycle, one):
    run(cycle, month(1, cycle))
    (bill,) = bills()
    note = cancel_bill(bill.pk, "wrong customer", at(2, 3)).credit_note
    assert (paid(bill), paid(note)) == (bill.total_micros, note.total_micros)
    run(cycle, month(2, cycle))
    assert not bills()[-1].payments.exists()


def test_what_was_charged_online_is_owed_again_and_billed_again_by_service(cycle, one):
    account = one.payer.account
    post(account, -4_990_000, kind="usage", book="usage", cause="shop:1", at=at(1, 10), note="sms")
    run(cycle, month(1, cycle))
    (bill,) = bills()
    done = cancel_bill(bill.pk, "wrong tax", at(2, 3), again=True)
    assert done.successor is not None
    online = BillLine.objects.filter(kind="online").order_by("pk")
    assert list(online.values_list("bill_id", "description", "amount_micros")) == [
        (bill.pk, "SMS", 4_190_000),
        (done.credit_note.pk, "SMS", -4_190_000),
        (done.successor.pk, "SMS", 4_190_000),
    ]
    billed = LedgerEntry.objects.filter(kind="billed").order_by("pk").values_list("amount_micros", flat=True)
    assert list(billed) == [4_990_000, -4_990_000, 4_990_000]
    assert Balance.objects.get().amount_micros == 0
    assert list(differences()) == []


def test_bills_are_cancelled_from_the_last_one_backwards(cycle, one):
    store([Usage(one, at(1, 5), 2 * EURO)])
    run(cycle, month(1, cycle))
    store([Usage(one, at(1, 31), EURO), Usage(one, at(2, 5), 4 * EURO)])
    run(cycle, month(2, cycle))
    january, february = bills()
    with pytest.raises(Conflict, match=f"{february} follows"):
        cancel_bill(january.pk, "wrong", at(3, 3))
    cancel_bill(february.pk, "wrong", at(3, 3))
    cancel_bill(january.pk, "wrong", at(3, 3))
    run(cycle, month(2, cycle), at(3, 4))
    assert bills()[-1].usage_micros == 7 * EURO
    assert Bill.objects.filter(current=True).count() == 1


def test_a_statement_and_a_credit_note_are_not_cancelled_and_a_reason_is_needed(cycle, one):
    people(1, first=2, mode="prepaid")
    run(cycle, month(1, cycle))
    bill, statement = Bill.objects.order_by("kind")
    with pytest.raises(InvalidInput, match="prepaid statement"):
        cancel_bill(statement.pk, "wrong", at(2, 3))
    with pytest.raises(InvalidInput, match="say why"):
        cancel_bill(bill.pk, " ", at(2, 3))
    note = cancel_bill(bill.pk, "wrong", at(2, 3)).credit_note
    with pytest.raises(InvalidInput, match="is not cancelled"):
        cancel_bill(note.pk, "wrong", at(2, 3))


def test_the_command_cancels_by_number_and_names_the_credit_note(cycle, one, capsys):
    run(cycle, month(1, cycle))
    call_command("cancelbill", bills()[0].number, "--reason", "wrong price", "--again")
    told = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[1] for line in told] == ["-11.90 EUR", "11.90 EUR"]
    with pytest.raises(CommandError, match="no bill"):
        call_command("cancelbill", "2026-99999999", "--reason", "x")


@pytest.mark.django_db(transaction=True)
def test_a_cancellation_that_loses_a_deadlock_is_begun_again(cycle, one, monkeypatch):
    """As beside a run or payments: the database undoes one of two that wait for each other."""
    run(cycle, month(1, cycle))
    number, tries = cancelling.number_bills, []

    def lose_once(*given):
        tries.append(given)
        if len(tries) == 1:
            raise OperationalError(1213, "Deadlock found when trying to get lock")
        number(*given)

    monkeypatch.setattr(cancelling, "number_bills", lose_once)
    note = cancel_bill(bills()[0].pk, "wrong price", at(2, 3)).credit_note
    assert (len(tries), note.number) == (2, "C2026-00000001")
    assert Bill.objects.filter(kind="credit").count() == 1
