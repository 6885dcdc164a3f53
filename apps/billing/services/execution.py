"""Do an activity, on its own cycle's queue."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from apps.billing.models import Activity, Bill
from apps.billing.selectors.lookups import account_of_msisdn, cycle_of_account
from apps.billing.services.activities import period_of
from apps.billing.services.billing import bill_accounts
from apps.billing.services.notifications import notify
from apps.billing.services.prepaid_rating import compare_prepaid_rating
from apps.billing.services.runs import begin_run
from apps.charging.models import Account
from apps.kernel.currencies import format_money
from apps.kernel.errors import BssError, Conflict, InvalidInput, NotFound

Type = Activity.Type
Status = Activity.Status


def require_own_queue(activity_queue: str, delivered_on: str) -> None:
    """Raise Conflict unless a message came over the queue of the cycle that it is about."""
    if delivered_on != activity_queue:
        raise Conflict(
            f"it belongs on the queue {activity_queue} and came over {delivered_on or 'none'}; it was left for there",
            code="wrong_queue",
        )


def run_activity(activity_id: int, now: datetime) -> None:
    """Begin (and, but for full runs, end) an activity. One that is finished or given up is left alone.

    What cannot be done ends as ERROR with the reason and a notification; anything unforeseen does too, and is raised.
    """
    activity = _begin(activity_id, now)
    if activity is None:
        return
    try:
        if activity.type == Type.SINGLE_BILLING:
            _single_billing(activity, now)
        elif activity.type == Type.PREPAID_RATING:
            _prepaid_rating(activity, now)
    except BssError as error:
        _give_up(activity, str(error), now)
    except Exception as error:
        _give_up(activity, f"{type(error).__name__}: {error}", now)
        raise


def queue_of(activity_id: int) -> str:
    """The queue that an activity belongs on. Raises NotFound."""
    activity = Activity.objects.select_related("cycle").filter(pk=activity_id).first()
    if activity is None:
        raise NotFound(f"there is no activity {activity_id}")
    return activity.cycle.queue


@transaction.atomic
def _begin(activity_id: int, now: datetime) -> Activity | None:
    """Take the activity in hand. A full run begins in the same transaction, so that it can not be left without one."""
    activity = Activity.objects.select_for_update().filter(pk=activity_id).first()
    if activity is None:
        return None
    if activity.type == Type.FULL_BILLRUN:
        if activity.status == Status.PENDING:
            _mark_begun(activity, now)
            try:
                with transaction.atomic():
                    begin_run(activity.cycle, period_of(activity, now), activity, now)
            except BssError as error:
                _give_up(activity, str(error), now)
        return None
    if activity.status not in (Status.PENDING, Status.PROCESSING):
        return None
    _mark_begun(activity, now)
    return activity


def _mark_begun(activity: Activity, now: datetime) -> None:
    activity.status = Status.PROCESSING
    activity.started_at = now
    activity.save(update_fields=["status", "started_at"])


@transaction.atomic
def _single_billing(activity: Activity, now: datetime) -> None:
    if not _still_ours(activity):
        return
    parameters = activity.parameters
    last_of = parameters.account_id
    account = Account.objects.get(pk=last_of) if last_of else account_of_msisdn(parameters.msisdn, now)
    cycle = cycle_of_account(account)
    if cycle.pk != activity.cycle_id:
        raise Conflict(f"account {account} has moved to {cycle} meanwhile; queue it again", code="moved")
    period = period_of(activity, now)
    done = bill_accounts(cycle, [account.pk], period, now)
    if done.problems:
        raise InvalidInput(done.problems[0])
    if not done.bills and last_of:
        text = f"account {account} had nothing left to bill"
        _close(activity, Status.COMPLETED, now, result=text)
        return
    if not done.bills:
        raise Conflict(f"account {account} had nothing left to bill until then", code="already_billed")
    bill = Bill.objects.get(pk=done.bills[account.pk])
    text = f"{bill} of account {account}: {format_money(bill.total_micros, bill.currency)}"
    _close(activity, Status.COMPLETED, now, result=text)
    notify(text, now, tenant_id=bill.tenant_id, activity=activity, bill=bill)


@transaction.atomic
def _prepaid_rating(activity: Activity, now: datetime) -> None:
    if not _still_ours(activity):
        return
    result = compare_prepaid_rating(activity, period_of(activity, now))
    _close(activity, Status.COMPLETED, now, result=result)
    notify(result, now, tenant_id=activity.cycle.tenant_id, activity=activity)


def _still_ours(activity: Activity) -> bool:
    """Lock the activity for as long as it is being done: a second worker waits, and then finds it done."""
    return Activity.objects.select_for_update().filter(pk=activity.pk, status=Status.PROCESSING).exists()


def _close(activity: Activity, status: int, now: datetime, *, error: str = "", result: str = "") -> None:
    Activity.objects.filter(pk=activity.pk).update(
        status=status, error=error, result=result[:500], finished_at=now
    )


@transaction.atomic
def _give_up(activity: Activity, error: str, now: datetime) -> None:
    _close(activity, Status.ERROR, now, error=error)
    notify(
        f"{activity} failed: {error}",
        now,
        level="error",
        tenant_id=activity.cycle.tenant_id,
        activity=activity,
    )
