"""Prepaid statements: the usage, and the balance before and after."""

from __future__ import annotations

import pytest
from django.db.models import Sum

from apps.billing.models import Bill, BillLine, OneOffCharge
from apps.charging.models import Balance, LedgerEntry
from apps.charging.services.ledger import post
from tests.billing.scenes import EURO, Usage, at, lines_add_up, month, people, run, store
from tests.factories import make_cycle, make_plan

pytestmark = pytest.mark.django_db


@pytest.fixture
def cycle():
    return make_cycle(1)


def prepaid(fee: int = 0, balance: int = 20):
    plan = make_plan("PLAN", fee_micros=fee * EURO)
    (one,) = people(1, plan=plan, mode="prepaid", opening_balance_micros=balance * EURO)
    return one, one.payer.account


def top_up(account, amount: int, when, cause: str = "top-up:1"):
    post(account, amount * EURO, kind="top_up", book="cash", cause=cause, at=when)


def shown(bill: Bill) -> int:
    """The sum of the ledger entries that a statement shows, by the rule that its row gives."""
    entries = LedgerEntry.objects.filter(
        balance__account=bill.account, at__lt=bill.period_end, pk__lte=bill.ledger_entry
    )
    within = entries.filter(at__gte=bill.period_start) | entries.filter(pk__gt=bill.ledger_after_entry)
    return within.distinct().aggregate(total=Sum("amount_micros"))["total"] or 0


def balances() -> list[tuple[int, int, int]]:
    return list(
        Bill.objects.order_by("period_end").values_list(
            "opening_balance_micros", "total_micros", "closing_balance_micros"
        )
    )


def test_a_statement_goes_from_the_opening_balance_over_the_usage_to_the_closing_one(cycle):
    one, account = prepaid(fee=5)
    store([Usage(one, at(1, 10), 3 * EURO)])
    top_up(account, 10, at(1, 20))
    run(cycle, month(1, cycle))
    (bill,) = Bill.objects.all()
    assert (bill.kind, bill.usage_micros, bill.recurring_micros) == ("prepaid", 3 * EURO, 5 * EURO)
    # The 20 that it was opened with on 1 January, and the 10, less the 8.
    assert balances() == [(0, 8 * EURO, 22 * EURO)]
    assert bill.opening_balance_micros + shown(bill) == bill.closing_balance_micros
    assert Balance.objects.get().amount_micros == 22 * EURO
    assert (bill.tax_micros, bill.due_on, bill.number) == (0, None, "S2026-00000001")


def test_statements_follow_each_other_without_a_gap_despite_late_bookings(cycle):
    one, account = prepaid()
    store([Usage(one, at(1, 10), 3 * EURO)])
    run(cycle, month(1, cycle))
    store([Usage(one, at(1, 31), 4 * EURO), Usage(one, at(2, 3), 2 * EURO)])
    top_up(account, 10, at(1, 30))
    run(cycle, month(2, cycle))
    run(cycle, month(3, cycle))
    assert balances() == [
        (0, 3 * EURO, 17 * EURO),
        (17 * EURO, 6 * EURO, 21 * EURO),
        (21 * EURO, 0, 21 * EURO),
    ]
    for bill in Bill.objects.all():
        assert bill.opening_balance_micros + shown(bill) == bill.closing_balance_micros
    assert lines_add_up()


def test_fees_never_take_a_balance_below_zero_but_are_carried_over(cycle):
    _, account = prepaid(fee=15, balance=20)
    run(cycle, month(1, cycle))
    run(cycle, month(2, cycle))
    assert Balance.objects.get().amount_micros == 0
    assert BillLine.objects.filter(bill__period_end=month(2, cycle).end).order_by("number").values_list(
        "description", "amount_micros"
    )[1] == ("Carried over: more than the balance could bear", -10 * EURO)
    assert OneOffCharge.objects.get().amount_micros == 10 * EURO
    top_up(account, 100, at(3, 5))
    run(cycle, month(3, cycle))
    assert balances()[2] == (0, 25 * EURO, 75 * EURO)
    assert OneOffCharge.objects.get().bill == Bill.objects.latest("period_end")
    assert lines_add_up()


def test_usage_of_after_the_period_is_neither_on_the_statement_nor_in_its_balance(cycle):
    one, _ = prepaid()
    store([Usage(one, at(1, 31, 23), 1 * EURO), Usage(one, at(2, 1, 0), 2 * EURO)])
    run(cycle, month(1, cycle), at(2, 1, 3))
    assert balances() == [(0, 1 * EURO, 19 * EURO)]


def test_an_account_that_is_older_than_its_first_run_opens_with_what_it_held(cycle):
    one, account = prepaid()
    account.billing.billing_from = None
    account.billing.save()
    store([Usage(one, at(3, 10), 3 * EURO)])
    run(cycle, month(3, cycle))
    (bill,) = Bill.objects.all()
    assert (bill.period_start, balances()) == (at(3, 1, 0), [(20 * EURO, 3 * EURO, 17 * EURO)])
    assert shown(bill) == -3 * EURO
