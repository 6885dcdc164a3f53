"""The queue of activities: put in by operators, APIs and the calendar, given to the queues of their bill cycles."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from apps.billing.domain.activities import ActivityParameters, parse_month, parse_msisdn
from apps.billing.domain.periods import closed_periods_after, last_closed_period
from apps.billing.domain.resending import stands_still
from apps.billing.models import Activity, Bill, BillCycle, BillingAccount, BillRun
from apps.billing.selectors.due import unbilled
from apps.billing.selectors.lookups import account_of_msisdn, closed_period, cycle_by_number, cycle_of_account
from apps.billing.services.cycles import enrol_accounts
from apps.billing.services.sending import patience, send_on_commit
from apps.kernel.errors import Conflict, InvalidInput
from apps.kernel.periods import Period, as_utc, month_of, month_period_before

Type = Activity.Type
Status = Activity.Status
MOST_PERIODS_CAUGHT_UP = 12
# One activity of these waits for the other within a cycle: the older period is billed first.
IN_TURN = (Type.FULL_BILLRUN,)


@transaction.atomic
def queue_activity(
    type: int,  # noqa: A002
    param: str,
    month: str = "",
    year: str = "",
    *,
    now: datetime,
    queued_by: str = "",
) -> Activity:
    """Queue something to be done; it starts on its cycle's queue within seconds.

    SINGLE_BILLING takes an MSISDN and bills the account that pays for it, FULL_BILLRUN a bill cycle's number,
    PREPAID_RATING (for developers) either. ``month`` and ``year`` name the period that begins in that month; left out,
    it is the last closed one.

    Raises InvalidInput (unreadable values, or the period is not closed), NotFound (MSISDN, cycle), Conflict
    (queued or billed already, run stopped: code already_queued, already_billed, already_running, stopped, retired).
    """
    try:
        kind = Type(type)
    except ValueError:
        known = ", ".join(f"{known.value} ({known.label})" for known in Type)
        raise InvalidInput(f"{type} is not a type of activity; there are {known}", where="type") from None
    wanted = parse_month(month, year)
    enrol_accounts()
    if kind == Type.FULL_BILLRUN:
        cycle, msisdn = cycle_by_number(param), ""
    elif kind == Type.SINGLE_BILLING:
        msisdn = parse_msisdn(param)
        cycle = cycle_of_account(account_of_msisdn(msisdn, now))
    else:
        cycle, msisdn = _prepaid_rating_target(param, now)
    # Two doors that queue the same at once take turns here, and the second one finds the first one's activity.
    BillCycle.objects.select_for_update().get(pk=cycle.pk)
    period = closed_period(cycle, wanted, now)
    begins_in = month_of(period.start, cycle.zone)
    parameters = ActivityParameters(begins_in, msisdn, 0 if msisdn else cycle.number)
    _refuse_a_second(kind, parameters, cycle)
    if kind == Type.FULL_BILLRUN:
        _refuse_a_finished_run(cycle, period)
    elif kind == Type.SINGLE_BILLING:
        _refuse_a_billed_account(msisdn, period, now)
    return Activity.objects.create(
        type=kind,
        payload=parameters.as_json(),
        cycle=cycle,
        queued_by=queued_by,
        queued_at=now,
    )


def period_of(activity: Activity, now: datetime) -> Period:
    """The period that an activity is about; a last bill's ends where its parameters say."""
    parameters = activity.parameters
    if parameters.until:
        before = month_period_before(parameters.until, activity.cycle.zone, activity.cycle.day)
        return Period(before.end, parameters.until)
    return closed_period(activity.cycle, parameters.month, now)


def queue_due_cycles(now: datetime) -> list[Activity]:
    """Queue a full run for every cycle and period that has ended and was not queued yet; doing it again adds nothing.

    After a time without this, every period since the cycle's last run is queued, oldest first; a cycle that never ran
    begins with its last closed period. What no account is waiting for is left out.
    """
    enrol_accounts()
    queued = []
    by = now - timedelta(hours=settings.BILLING_GRACE_HOURS)
    for cycle in BillCycle.objects.filter(retired_at=None).order_by("number"):
        for period in _due_periods(cycle, by):
            month = month_of(period.start, cycle.zone)
            try:
                activity = queue_activity(
                    Type.FULL_BILLRUN,
                    str(cycle.number),
                    str(month.month),
                    str(month.year),
                    now=now,
                    queued_by="calendar",
                )
            except Conflict:
                continue  # Another process has just queued it.
            queued.append(activity)
    return queued


def activities_to_send(now: datetime) -> list[Activity]:
    """Give pending activities to the queues of their cycles, and again those that stand still there.

    A full run waits until no other one of its cycle is pending before it or going on, so that periods are billed in
    their order.
    """
    # Beat asks every few seconds; SQLite's one writer is not to be bothered for nothing.
    if not Activity.objects.filter(status__in=[Status.PENDING, Status.PROCESSING]).exists():
        return []
    return _send_what_is_due(now)


@transaction.atomic
def _send_what_is_due(now: datetime) -> list[Activity]:
    pending = Activity.objects.select_for_update().filter(status=Status.PENDING)
    busy = set(
        Activity.objects.filter(status=Status.PROCESSING, type__in=IN_TURN).values_list("cycle_id", flat=True)
    )
    sent = []
    for activity in pending.order_by("pk"):
        if activity.type in IN_TURN:
            if activity.cycle_id in busy:
                continue
            busy.add(activity.cycle_id)
        until = activity.parameters.until
        if until and until > now - timedelta(hours=settings.BILLING_GRACE_HOURS):
            continue  # The last files are waited for, as at the end of a cycle.
        if stands_still(activity.sent_at, activity.sends, now, patience()):
            activity.sent_at = now
            activity.sends += 1
            activity.save(update_fields=["sent_at", "sends"])
            sent.append(activity)
    # One that was begun and not finished (its worker died) is retried; full runs go on by their chunks.
    for activity in (
        Activity.objects.select_for_update().filter(status=Status.PROCESSING).exclude(type__in=IN_TURN)
    ):
        if stands_still(activity.started_at, activity.sends, now, patience()):
            activity.sends += 1
            activity.save(update_fields=["sends"])
            sent.append(activity)
    for activity in sent:
        send_on_commit("run_activity", activity.cycle.queue, [activity.pk])
    return sent


def runs_to_continue() -> list[int]:
    """Runs that are going on, for the retry of lost messages."""
    return list(
        BillRun.objects.filter(state=BillRun.State.RUNNING).order_by("pk").values_list("pk", flat=True)
    )


def _prepaid_rating_target(param: str, now: datetime) -> tuple[BillCycle, str]:
    """The cycle and, unless all of it is meant, the MSISDN."""
    if not settings.BILLING_DEVELOPER_ACTIVITIES:
        raise Conflict(
            "prepaid rating is for developers; set BSS_BILLING_DEVELOPER_ACTIVITIES=1 to allow it",
            code="developers_only",
        )
    text = param.strip()
    if text.isdigit() and BillCycle.objects.filter(number=int(text[:5])).exists() and len(text) <= 5:
        return cycle_by_number(text), ""
    msisdn = parse_msisdn(text)
    return cycle_of_account(account_of_msisdn(msisdn, now)), msisdn


def _refuse_a_second(kind: Type, parameters: ActivityParameters, cycle: BillCycle) -> None:
    open_ones = cycle.activities.filter(type=kind, status__in=[Status.PENDING, Status.PROCESSING])
    for other in open_ones.order_by("pk"):
        if other.parameters == parameters:
            raise Conflict(
                f"activity {other.pk} does the same and is {other.get_status_display().lower()}",
                code="already_queued",
            )


def _refuse_a_finished_run(cycle: BillCycle, period: Period) -> None:
    run = cycle.runs.filter(period_end=period.end).first()
    if run is not None and run.state == BillRun.State.RUNNING:
        raise Conflict(f"run {run.pk} of this period is going on already", code="already_running")
    if run is not None and run.state == BillRun.State.STOPPED:
        raise Conflict(f"run {run.pk} of this period is stopped; resume it", code="stopped")
    if not unbilled(cycle, period.end).exists():
        ends = period.end.astimezone(cycle.zone)
        if run is not None or Bill.objects.filter(cycle=cycle, period_end=period.end).exists():
            raise Conflict(
                f"every account of {cycle} is billed until {ends:%Y-%m-%d} already", code="already_billed"
            )
        raise Conflict(f"{cycle} has no account to bill until {ends:%Y-%m-%d}", code="nothing_to_bill")


def _refuse_a_billed_account(msisdn: str, period: Period, now: datetime) -> None:
    account = account_of_msisdn(msisdn, now)
    row = BillingAccount.objects.get(pk=account.pk)
    if row.billed_until is not None and row.billed_until >= period.end:
        bill = account.bills.filter(period_end__gte=period.end, current=True).order_by("period_end").first()
        raise Conflict(
            f"account {account} is billed until {row.billed_until.astimezone(row.cycle.zone):%Y-%m-%d} already"
            + (f" ({bill})" if bill else ""),
            code="already_billed",
        )
    begins = as_utc(row.billed_until or row.billing_from or account.opened_at)
    if begins >= period.end:
        raise InvalidInput(
            f"account {account} is billed from {begins.astimezone(row.cycle.zone):%Y-%m-%d} on only",
            where="month",
        )


def _due_periods(cycle: BillCycle, by: datetime) -> list[Period]:
    last = last_closed_period(by, cycle.day, cycle.zone)
    newest_run = cycle.runs.order_by("-period_end").first()
    periods = [last]
    if newest_run is not None:
        periods = list(closed_periods_after(as_utc(newest_run.period_end), by, cycle.day, cycle.zone))
    begun = cycle.activities.filter(type=Type.FULL_BILLRUN).exclude(status=Status.ERROR, started_at=None)
    known = {activity.parameters.month for activity in begun}
    return [
        period
        for period in periods[-MOST_PERIODS_CAUGHT_UP:]
        if month_of(period.start, cycle.zone) not in known and unbilled(cycle, period.end).exists()
    ]
