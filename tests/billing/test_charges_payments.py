"""Charges beside usage and plan fees, closed accounts, payments, and previews."""

from __future__ import annotations

from io import StringIO

import pytest
import time_machine
from django.core.management import CommandError, call_command

from apps.billing.models import Bill, BillLine, Discount, OneOffCharge, RecurringCharge, TaxRule
from apps.billing.selectors.preview import preview_account
from apps.billing.services.payments import issue_bill, record_payment
from apps.kernel.errors import Conflict, InvalidInput
from apps.subscribers.services.assignments import assign_bundle, assign_plan
from tests.billing.scenes import EURO, Usage, at, lines_add_up, month, people, run, store, totals
from tests.factories import make_bundle, make_cycle, make_plan

pytestmark = pytest.mark.django_db


@pytest.fixture
def cycle():
    return make_cycle(1)


def test_every_kind_of_line_comes_on_a_bill_and_they_add_up(cycle):
    plan = make_plan("PLAN", fee_micros=31 * EURO)
    (one,) = people(1, plan=plan)
    account = one.payer.account
    assign_plan(one.pk, make_plan("BIGGER", fee_micros=62 * EURO).pk, at(1, 11))
    assign_bundle(one.pk, make_bundle("EXTRA", fee_micros=31 * EURO).pk, at(1, 22))
    RecurringCharge.objects.create(
        account=account,
        description="Router",
        monthly_amount_micros=3_100_000,
        start=at(1, 1, 0),
        end=at(1, 6),
    )
    OneOffCharge.objects.create(
        account=account, at=at(1, 3), description="Activation", amount_micros=9 * EURO
    )
    OneOffCharge.objects.create(account=account, at=at(2, 3), description="Later", amount_micros=7 * EURO)
    Discount.objects.create(
        account=account, description="Loyalty", scope="recurring", rate_millionths=100_000, start=at(1, 1, 0)
    )
    TaxRule.objects.create(
        tenant=account.tenant, name="VAT", rate_millionths=190_000, valid_from=at(1, 1).date()
    )
    store([Usage(one, at(1, 5), 1_234_567)])
    run(cycle, month(1, cycle))
    lines = list(BillLine.objects.order_by("number").values_list("description", "amount_micros"))
    fees = 10 * EURO + 42 * EURO + 10 * EURO + 500_000
    net = fees - fees // 10 + 9 * EURO + 1_230_000
    tax = (net * 19 + 500_000) // 1_000_000 * 10_000
    assert lines == [
        ("Plan", 10 * EURO),
        ("Bigger", 42 * EURO),
        ("Extra", 10 * EURO),
        ("Router", 500_000),
        ("Voice, DE", 1_230_000),
        ("Activation", 9 * EURO),
        ("Loyalty", -fees // 10),
        ("VAT", tax),
    ]
    assert lines_add_up()
    origins = BillLine.objects.order_by("number").values_list("origin", flat=True)
    assert [origin.partition(":")[0] for origin in origins] == [
        *("plan", "plan", "bundle", "charge", "", "one_off", "discount", ""),
    ]
    used = BillLine.objects.get(kind="usage")
    assert (used.exact_micros, used.unit, used.tax_category, used.tax_rate_millionths) == (
        *(1_234_567, "SEC", "S", 190_000),
    )
    assert OneOffCharge.objects.get(description="Activation").bill == Bill.objects.get()
    run(cycle, month(2, cycle))
    assert Bill.objects.latest("pk").one_off_micros == 7 * EURO


def test_an_account_that_was_closed_gets_a_last_bill_and_then_none(cycle):
    (one,) = people(1, plan=make_plan("PLAN", fee_micros=31 * EURO))
    account = one.payer.account
    account.closed_at = at(1, 11, 8)
    account.save()
    run(cycle, month(1, cycle))
    run(cycle, month(2, cycle))
    assert totals() == {"C1": [10 * EURO]}
    store([Usage(one, at(1, 10), 2 * EURO)])
    run(cycle, month(3, cycle))
    assert totals() == {"C1": [10 * EURO, 2 * EURO]}


def test_a_bill_is_paid_when_payments_cover_it(cycle):
    people(1, plan=make_plan("PLAN", fee_micros=31 * EURO))
    run(cycle, month(1, cycle))
    bill = issue_bill(Bill.objects.get().pk)
    assert bill.status == Bill.Status.UNPAID
    first = record_payment(bill.pk, 30 * EURO, "A1", at(2, 3))
    assert record_payment(bill.pk, 30 * EURO, "A1", at(2, 4)) == first
    with pytest.raises(Conflict, match="with another amount"):
        record_payment(bill.pk, EURO, "A1", at(2, 4))
    bill.refresh_from_db()
    assert bill.status == Bill.Status.UNPAID
    record_payment(bill.pk, EURO, "A2", at(2, 4))
    bill.refresh_from_db()
    assert bill.status == Bill.Status.PAID
    record_payment(bill.pk, -EURO, "A3", at(2, 5))
    bill.refresh_from_db()
    assert bill.status == Bill.Status.UNPAID


def test_a_bill_of_nothing_is_paid_as_soon_as_it_is_issued(cycle):
    people(1)
    run(cycle, month(1, cycle))
    assert issue_bill(Bill.objects.get().pk).status == Bill.Status.PAID


def test_a_prepaid_statement_takes_no_payment(cycle):
    people(1, mode="prepaid")
    run(cycle, month(1, cycle))
    with pytest.raises(InvalidInput, match="top the account up"):
        record_payment(Bill.objects.get().pk, EURO, "A1", at(2, 3))


def test_a_preview_shows_the_bill_that_is_written_afterwards(cycle):
    (one,) = people(1, plan=make_plan("PLAN", fee_micros=31 * EURO, voice=(EURO, 0)))
    store([Usage(one, at(1, 5), 2 * EURO, usage=90, free=30)])
    seen = preview_account(one.payer.account.pk, at(2, 1))
    assert not Bill.objects.exists()
    run(cycle, month(1, cycle))
    bill = Bill.objects.get()
    assert seen.total_micros == bill.total_micros == 33 * EURO
    assert [
        (line.kind, line.description, line.quantity, line.free_quantity, line.amount_micros)
        for line in seen.lines
    ] == [
        (line.kind, line.description, line.quantity, line.free_quantity, line.amount_micros)
        for line in bill.lines.order_by("number")
    ]
    running = preview_account(one.payer.account.pk, at(2, 10))
    assert (running.period_start, running.period_end, running.total_micros) == (
        at(2, 1, 0),
        at(3, 1, 0),
        31 * EURO,
    )


def command(*words: str) -> str:
    out = StringIO()
    with time_machine.travel(at(2, 1), tick=True):
        call_command(*words, stdout=out, stderr=out)
    return out.getvalue()


def test_the_preview_of_a_cycle_prints_every_bill_and_writes_none(cycle):
    one, _ = people(2, plan=make_plan("PLAN", fee_micros=31 * EURO))
    store([Usage(one, at(1, 5), 2 * EURO)])
    printed = command("executebillcycle", "1", "--preview")
    assert "bill of account C1, 2026-01-01 until 2026-02-01" in printed
    assert "S1  Voice, DE  1 record, 1:00" in printed
    assert printed.rstrip().endswith("2 bills, 64.00 EUR; nothing was written")
    assert not Bill.objects.exists()
    assert "total EUR" in command("executebilling", "4915550000002", "--preview")


def test_commands_queue_and_list_and_explain_errors(cycle):
    people(2)
    assert "queued activity" in command("executebilling", "4915550000002")
    with pytest.raises(CommandError, match="not everything was billed"):
        command("executebilling", "4915550000002", "4999")
    assert "on billing.bc_1" in command("executebillcycle", "1")
    with pytest.raises(CommandError, match="there is no bill cycle 9"):
        command("executebillcycle", "9")
    listed = command("activities")
    assert listed.count("Pending") == 2
    assert "Full bill run   1                2026-01  billing.bc_1" in listed
    with pytest.raises(CommandError, match="there is no bill run 7"):
        command("stoprun", "7")
