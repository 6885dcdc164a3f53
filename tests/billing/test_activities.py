"""The queue of activities: which are taken, which refused and why, and when they are sent."""

from __future__ import annotations

from datetime import timedelta

import pytest

from apps.billing.domain.activities import ActivityParameters
from apps.billing.models import Activity, Bill, BillRun, Notification
from apps.billing.services import activities, cycles, execution, runs
from apps.billing.services.activities import activities_to_send, queue_activity, queue_due_cycles
from apps.kernel.errors import Conflict, InvalidInput, NotFound
from apps.kernel.periods import Month
from tests.billing.scenes import EURO, Usage, at, month, people, run, store, totals, work_through
from tests.factories import make_cycle, make_plan, make_tenant

pytestmark = pytest.mark.django_db
Type, Status = Activity.Type, Activity.Status
MSISDN = "4915550000001"
FEBRUARY = at(2, 1)


@pytest.fixture
def cycle():
    return make_cycle(1)


@pytest.fixture(autouse=True)
def sent(monkeypatch):
    """Messages that were given to a queue, instead of a broker."""
    found: list[tuple[str, str, int]] = []
    for module in (activities, runs):
        monkeypatch.setattr(
            module, "send_on_commit", lambda task, queue, ids: found.extend((task, queue, pk) for pk in ids)
        )
    return found


def full(number="1", *when, now=FEBRUARY):
    return queue_activity(Type.FULL_BILLRUN, number, *when, now=now)


def single(msisdn=MSISDN, *when, now=FEBRUARY):
    return queue_activity(Type.SINGLE_BILLING, msisdn, *when, now=now)


def test_an_activity_says_which_period_it_is_about(cycle):
    people(1)
    activity = full(now=at(2, 1))
    assert activity.parameters == ActivityParameters(Month(2026, 1), cycle=1)
    assert (activity.status, activity.cycle) == (Status.PENDING, cycle)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: full("x"), InvalidInput, "“x” is not the number of a bill cycle"),
        (lambda: full("7"), NotFound, "there is no bill cycle 7; there are 1"),
        (lambda: full("1", "13", "2026"), InvalidInput, "“13” is not a month"),
        (lambda: full("1", "1", "26"), InvalidInput, "“26” is not a year"),
        (lambda: full("1", "1", ""), InvalidInput, "the year is missing"),
        (lambda: full("1", "2", "2026"), InvalidInput, "in 2026-02 ends on 2026-03-01 and cannot be billed before"),
        (lambda: single("what"), InvalidInput, "“what” is not an MSISDN"),
        (lambda: single("4999"), NotFound, "no subscriber has or had the MSISDN 4999"),
        (lambda: single(MSISDN, "12", "2025"), InvalidInput, "is billed from 2026-01-01 on only"),
        (lambda: queue_activity(4, "1", now=at(2, 1)), InvalidInput, "4 is not a type of activity"),
        (lambda: queue_activity(3, "1", now=at(2, 1)), Conflict, "prepaid rating is for developers"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_with_the_reason(cycle, call, error, message):
    people(1)
    with pytest.raises(error) as raised:
        call()
    assert message in str(raised.value)
    assert not Activity.objects.exists()


def test_the_same_is_not_queued_twice(cycle):
    people(1)
    first = full()
    with pytest.raises(Conflict, match=f"activity {first.pk} does the same and is pending"):
        full()


def test_what_is_billed_is_refused(cycle):
    people(2)
    run(cycle, month(1, cycle))
    with pytest.raises(Conflict, match="every account of Cycle 1 is billed until 2026-02-01 already"):
        full()
    with pytest.raises(Conflict, match=r"account C1 is billed until 2026-02-01 already \(Bill 2026-0"):
        single()
    people(1, first=3)
    assert full().status == Status.PENDING


def test_a_single_account_is_billed_and_the_full_run_leaves_it_out(cycle):
    one, two = people(2)
    store([Usage(one, at(1, 5)), Usage(two, at(1, 5))])
    execution.run_activity(single("+" + MSISDN).pk, at(2, 1))
    done = Activity.objects.get()
    assert (done.status, done.result) == (Status.COMPLETED, "Bill 2026-00000001 of account C1: 1.00 EUR")
    assert Notification.objects.get().bill == Bill.objects.get()
    run(cycle, month(1, cycle))
    assert totals() == {"C1": [EURO], "C2": [EURO]}


def test_the_last_holder_of_a_number_is_billed_for_it(cycle):
    from apps.subscribers.services.lifecycle import terminate_subscriber

    (one,) = people(1, plan=make_plan("PLAN", fee_micros=31 * EURO))
    terminate_subscriber(one.pk, at(1, 11, 15))
    execution.run_activity(single().pk, at(2, 1))
    assert totals() == {"C1": [10 * EURO]}


def test_full_runs_of_a_cycle_wait_for_each_other_and_others_do_not(cycle, sent):
    people(2)
    january, february = full("1", "1", "2026", now=at(3, 1)), full("1", "2", "2026", now=at(3, 1))
    alone = single(MSISDN, "1", "2026", now=at(3, 1))
    assert activities_to_send(at(3, 1)) == [january, alone]
    execution.run_activity(january.pk, at(3, 1))
    activities_to_send(at(3, 1) + timedelta(hours=1))
    assert ("run_activity", "billing.bc_1", february.pk) not in sent
    work_through(january.runs.get(), at(3, 1))
    assert february in activities_to_send(at(3, 2))


def test_activities_that_no_worker_takes_are_sent_again_with_a_growing_delay(cycle, sent, settings):
    settings.BILLING_RESEND_AFTER_S = 60
    people(1)
    full()
    sends = []
    for minute in range(16):
        sends += [minute for _ in activities_to_send(at(2, 1) + timedelta(minutes=minute))]
    assert sends == [0, 1, 3, 7, 15]
    assert sent == [("run_activity", "billing.bc_1", Activity.objects.get().pk)] * 5


def test_an_activity_whose_worker_died_is_restarted(cycle, settings):
    settings.BILLING_RESEND_AFTER_S = 60
    people(1)
    activity = single()
    activities_to_send(at(2, 1))
    Activity.objects.update(status=Status.PROCESSING, started_at=at(2, 1))
    assert activities_to_send(at(2, 1) + timedelta(minutes=1)) == [activity]
    execution.run_activity(activity.pk, at(2, 2))
    execution.run_activity(activity.pk, at(2, 2))
    assert Bill.objects.count() == 1


def test_an_activity_that_has_become_impossible_ends_with_the_reason(cycle):
    (one,) = people(1)
    activity = single()
    other = make_cycle(2)
    cycles.move_account(one.payer.account.pk, other.pk)
    run(cycle, month(1, cycle))
    execution.run_activity(activity.pk, at(2, 2))
    activity.refresh_from_db()
    assert activity.status == Status.ERROR
    assert activity.error == "account C1 has moved to Cycle 2 meanwhile; queue it again"
    assert Notification.objects.first().level == "error"


def test_a_cycle_is_queued_on_its_day_in_its_own_zone_and_once():
    tenant = make_tenant("default", time_zone="America/New_York")
    cycle = make_cycle(1, tenant=tenant, day=5)
    people(1)
    assert (
        queue_due_cycles(at(2, 5, 4)) != []
    )  # Still the 4th in New York: the period before is due, not this one.
    assert Activity.objects.get().parameters.month == Month(2025, 12)
    Activity.objects.all().delete()
    run(cycle, _period(cycle, 2025, 12), at(2, 5, 4))
    assert queue_due_cycles(at(2, 5, 4)) == []
    (queued,) = queue_due_cycles(at(2, 5, 6))
    assert (queued.parameters.month, queued.queued_by) == (Month(2026, 1), "calendar")
    assert queue_due_cycles(at(2, 5, 7)) == []


def _period(cycle, year, number):
    from apps.billing.domain import cycle_period
    from apps.kernel.periods import Month

    return cycle_period(Month(year, number), cycle.day, cycle.zone)


def test_after_a_time_without_service_every_missed_period_is_queued_in_order(cycle):
    people(1)
    run(cycle, month(1, cycle))
    queued = queue_due_cycles(at(5, 3))
    assert [activity.parameters.month.month for activity in queued] == [2, 3, 4]
    assert queue_due_cycles(at(5, 3)) == []


def test_a_cycle_that_never_ran_begins_with_its_last_closed_period(cycle):
    people(1)
    assert [activity.parameters.month.month for activity in queue_due_cycles(at(5, 3))] == [4]


def test_a_run_that_was_stopped_is_not_queued_again_by_the_calendar(cycle):
    people(1)
    (queued,) = queue_due_cycles(at(2, 3))
    execution.run_activity(queued.pk, at(2, 3))
    runs.stop_run(BillRun.objects.get().pk, "ann", at(2, 3))
    queued.refresh_from_db()
    assert (queued.status, "stopped by ann" in queued.error) == (Status.ERROR, True)
    assert queue_due_cycles(at(2, 4)) == []


def test_an_account_without_a_cycle_joins_its_tenants_first_one(cycle):
    (one,) = people(1)
    one.payer.account.billing.delete()
    queue_due_cycles(at(2, 3))
    one.payer.account.refresh_from_db()
    assert one.payer.account.billing.cycle == cycle


def test_a_cycle_in_use_cannot_be_retired_and_says_what_uses_it(cycle):
    people(2)
    with pytest.raises(Conflict) as raised:
        cycles.retire_cycle(cycle.pk, at(2, 1))
    assert "2 accounts (C1, C2); move them first" in str(raised.value)
    other = make_cycle(2)
    assert cycles.retire_cycle(other.pk, at(2, 1)).retired_at == at(2, 1)


def test_an_account_cannot_move_to_a_cycle_that_does_not_fit_it(cycle):
    (one,) = people(1)
    account = one.payer.account
    with pytest.raises(InvalidInput, match="is kept in EUR, Cycle 2 bills in USD"):
        cycles.move_account(account.pk, make_cycle(2, currency="USD").pk)
    elsewhere = make_cycle(3, tenant=make_tenant("other"))
    with pytest.raises(InvalidInput, match="belongs to another tenant"):
        cycles.move_account(account.pk, elsewhere.pk)
