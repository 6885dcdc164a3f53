"""Bill runs: every account once a period, with any events meanwhile."""

from __future__ import annotations

import pytest

from apps.billing.models import Bill, BillingAccount, BillLine, BillRun, Notification
from apps.billing.services import cycles, runs
from apps.kernel.errors import Conflict
from tests.billing.scenes import (
    EURO,
    Usage,
    at,
    lines_add_up,
    month,
    people,
    run,
    store,
    totals,
    work_through,
)
from tests.factories import make_cycle, make_plan

pytestmark = pytest.mark.django_db


@pytest.fixture
def cycle():
    return make_cycle(1)


@pytest.fixture(autouse=True)
def small_chunks(settings):
    settings.BILLING_CHUNK_ACCOUNTS = 2


def test_a_run_bills_every_account_for_its_usage_and_fees(cycle):
    plan = make_plan("PLAN", fee_micros=10 * EURO)
    one, two, _ = people(3, plan=plan)
    store([Usage(one, at(1, 5)), Usage(one, at(1, 6), destination="FR"), Usage(two, at(1, 31), 2 * EURO)])
    done = run(cycle, month(1, cycle))
    assert done.state == BillRun.State.COMPLETED
    assert totals() == {"C1": [12 * EURO], "C2": [12 * EURO], "C3": [10 * EURO]}
    assert lines_add_up()
    assert list(
        BillLine.objects.filter(bill__account__number="C1")
        .order_by("number")
        .values_list("description", flat=True)
    ) == ["Plan", "Voice, DE", "Voice, FR"]
    assert Notification.objects.get().text.startswith(
        "Bill run of Cycle 1 to 2026-02-01 is complete: 3 bills"
    )


def test_a_repeated_run_adds_nothing(cycle):
    people(3)
    run(cycle, month(1, cycle))
    before = list(Bill.objects.order_by("pk").values())
    again = run(cycle, month(1, cycle))
    assert list(Bill.objects.order_by("pk").values()) == before
    assert again.state == BillRun.State.COMPLETED
    assert BillRun.objects.count() == 1


def test_late_records_are_billed_once_in_the_next_period(cycle):
    (one,) = people(1)
    store([Usage(one, at(1, 5), 1 * EURO)])
    run(cycle, month(1, cycle))
    store([Usage(one, at(1, 6), 2 * EURO), Usage(one, at(2, 6), 4 * EURO)])
    run(cycle, month(2, cycle))
    run(cycle, month(3, cycle))
    assert totals() == {"C1": [1 * EURO, 6 * EURO, 0]}


def test_usage_of_the_next_period_that_is_loaded_already_waits_for_it(cycle):
    (one,) = people(1)
    store([Usage(one, at(1, 5), 1 * EURO), Usage(one, at(2, 1, 0), 2 * EURO)])
    run(cycle, month(1, cycle))
    run(cycle, month(2, cycle))
    assert totals() == {"C1": [1 * EURO, 2 * EURO]}


def test_many_accounts_with_histories_of_their_own_are_each_billed_exactly_once(cycle, settings):
    settings.BILLING_CHUNK_ACCOUNTS = 100
    some = people(25)
    store([Usage(each, at(1, 3), EURO) for each in some])
    run(cycle, month(1, cycle))
    joined = people(5, first=26, start=at(2, 10))
    store([Usage(each, at(1, 30), 3 * EURO) for each in some[:5]])
    store([Usage(each, at(2, 12), 7 * EURO) for each in some + joined])
    run(cycle, month(2, cycle))
    found = totals()
    assert [found[f"C{number}"] for number in range(1, 6)] == [[EURO, 10 * EURO]] * 5
    assert [found[f"C{number}"] for number in range(6, 26)] == [[EURO, 7 * EURO]] * 20
    assert [found[f"C{number}"] for number in range(26, 31)] == [[7 * EURO]] * 5


def test_a_stopped_run_bills_nothing_further_until_it_is_resumed(cycle):
    people(5)
    begun = runs.begin_run(cycle, month(1, cycle), None, at(2, 1))
    runs.bill_chunk(begun.chunks.get(number=1).pk, at(2, 1))
    runs.stop_run(begun.pk, "ann", at(2, 1))
    work_through(begun, at(2, 1))
    assert Bill.objects.count() == 2
    with pytest.raises(Conflict, match="is stopped, not running"):
        runs.stop_run(begun.pk, "ann", at(2, 1))
    runs.resume_run(begun.pk, "ann", at(2, 2))
    work_through(begun, at(2, 2))
    begun.refresh_from_db()
    assert (begun.state, Bill.objects.count()) == (BillRun.State.COMPLETED, 5)


def test_an_account_that_cannot_be_billed_does_not_stop_the_others(cycle):
    people(2)
    other = make_plan("ROUBLES", fee_micros=EURO)
    people(1, first=3, plan=other)
    # Onboarding refuses such a plan; a later change of its currency is not stopped.
    other.currency = "RUB"
    other.save()
    failed = run(cycle, month(1, cycle))
    assert failed.state == BillRun.State.FAILED
    assert "account C3: “Roubles” is priced in RUB, the account is kept in EUR" in failed.error
    assert sorted(totals()) == ["C1", "C2"]
    assert Notification.objects.get().level == "error"
    other.currency = "EUR"
    other.save()
    runs.resume_run(failed.pk, "ann", at(2, 2))
    work_through(failed, at(2, 2))
    failed.refresh_from_db()
    assert failed.state == BillRun.State.COMPLETED
    assert totals() == {"C1": [0], "C2": [0], "C3": [EURO]}


def test_bill_numbers_have_no_gaps(cycle):
    people(3)
    people(2, first=4, mode="prepaid")
    run(cycle, month(1, cycle))
    assert sorted(Bill.objects.values_list("number", flat=True)) == [
        "2026-00000001",
        "2026-00000002",
        "2026-00000003",
        "S2026-00000001",
        "S2026-00000002",
    ]


def test_a_move_to_another_cycle_leaves_no_gap_and_no_overlap(cycle):
    other = make_cycle(2, day=15)
    (one,) = people(1, plan=make_plan("PLAN", fee_micros=31 * EURO))
    account = one.payer.account
    cycles.move_account(account.pk, other.pk)
    store([Usage(one, at(1, 20)), Usage(one, at(2, 3), 2 * EURO), Usage(one, at(2, 20), 4 * EURO)])
    run(other, month(1, other), at(2, 15))
    run(cycle, month(1, cycle), at(2, 16))
    assert BillingAccount.objects.get().cycle == other
    run(cycle, month(2, cycle), at(3, 1))
    run(other, month(2, other), at(3, 15))
    assert list(
        Bill.objects.order_by("period_end").values_list("cycle__number", "period_start", "period_end")
    ) == [
        (1, at(1, 1, 0), at(2, 1, 0)),
        (2, at(2, 1, 0), at(3, 15, 0)),
    ]
    # 31 for January; then 14 of the 31 days from 15 January, and the month from 15 February.
    assert totals() == {"C1": [32 * EURO, (14 + 31 + 6) * EURO]}
