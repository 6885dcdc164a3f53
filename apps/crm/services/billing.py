"""Bills on demand: through the activities queue, as the calendar's are. Documents, payments, news."""

from __future__ import annotations

from datetime import datetime

from apps.billing.domain.activities import parse_msisdn
from apps.billing.models import Activity, BillCycle
from apps.billing.selectors.lookups import account_of_msisdn
from apps.billing.services.activities import queue_activity
from apps.billing.services.cancelling import cancel_bill as cancel
from apps.billing.services.notifications import acknowledge
from apps.billing.services.payments import record_payment as record
from apps.crm.domain.bills import ActivityView, BillView, CancelledBill, NotificationView
from apps.crm.selectors.bills import get_bill
from apps.crm.selectors.news import get_activity, get_notification
from apps.crm.selectors.subscribers import own_subscriber, plain_msisdn
from apps.crm.selectors.tenants import tenant_of
from apps.crm.selectors.usage import asked_month
from apps.crm.services.transactions import one_transaction
from apps.invoicing.services.reissues import request_reissue
from apps.kernel.errors import Conflict, InvalidInput, NotFound
from apps.subscribers.models import Resource, ResourceAssignment

_MOST_NAME = 150


@one_transaction
def execute_billing(
    tenant: str,
    *,
    now: datetime,
    msisdn: str = "",
    subscriber_id: int = 0,
    year: int = 0,
    month: int = 0,
    by: str = "",
) -> ActivityView:
    """Queue a bill for who holds (or held last) an MSISDN: the last closed period, or the one beginning in a month.

    Raises NotFound, InvalidInput (not closed yet), Conflict (already_queued, already_billed).
    """
    if bool(msisdn) == bool(subscriber_id):
        raise InvalidInput("give an MSISDN or a subscriber's id, one of them", where="msisdn")
    owner = tenant_of(tenant)
    number = parse_msisdn(plain_msisdn(msisdn)) if msisdn else _last_msisdn(tenant, subscriber_id)
    if account_of_msisdn(number, now).tenant_id != owner.id:
        raise NotFound(f"no subscriber has or had the MSISDN {number}", code="unknown_msisdn", where="msisdn")
    return _queued(tenant, Activity.Type.SINGLE_BILLING, number, year, month, now, by)


@one_transaction
def execute_bill_cycle(
    tenant: str, cycle: int, *, now: datetime, year: int = 0, month: int = 0, by: str = ""
) -> ActivityView:
    """Queue a full run of one of the tenant's bill cycles.

    Raises NotFound (another tenant's too), InvalidInput, Conflict (already_queued, already_billed, already_running,
    stopped, retired, nothing_to_bill).
    """
    owner = tenant_of(tenant)
    if not BillCycle.objects.filter(tenant_id=owner.id, number=cycle).exists():
        raise NotFound(f"there is no bill cycle {cycle}", where="cycle")
    return _queued(tenant, Activity.Type.FULL_BILLRUN, str(cycle), year, month, now, by)


@one_transaction
def reformat_bill(tenant: str, bill_id: int, *, now: datetime, reason: str = "", by: str = "") -> BillView:
    """Have a bill's document issued again; the former is kept, the new one is there within seconds. Raises NotFound."""
    bill = get_bill(tenant, bill_id)
    request_reissue([bill_id], reason[:200], by[:_MOST_NAME], now)
    return bill


@one_transaction
def cancel_bill(
    tenant: str, bill_id: int, reason: str, *, now: datetime, again: bool = False, by: str = ""
) -> CancelledBill:
    """Take a bill back by a credit note and, with ``again``, issue it again for the same period.

    Raises NotFound, InvalidInput (reason, a statement or credit note), Conflict (cancelled, not_the_last,
    nothing_to_bill).
    """
    get_bill(tenant, bill_id)
    done = cancel(bill_id, reason, now, by=by[:_MOST_NAME], again=again)
    return CancelledBill(
        get_bill(tenant, bill_id),
        get_bill(tenant, done.credit_note.pk),
        get_bill(tenant, done.successor.pk) if done.successor else None,
    )


@one_transaction
def record_payment(
    tenant: str,
    bill_id: int,
    amount_micros: int,
    reference: str,
    *,
    now: datetime,
    at: datetime | None = None,
    method: str = "",
    by: str = "",
) -> BillView:
    """Money received for a bill; the same reference again changes nothing. Answers the bill as it is then.

    Raises NotFound, InvalidInput (amount, reference, prepaid statement), Conflict (code already_recorded).
    """
    get_bill(tenant, bill_id)
    if len(reference) > 100 or len(method) > 40:
        raise InvalidInput(
            "a reference has at most 100 characters, a method 40",
            where="reference" if len(reference) > 100 else "method",
        )
    record(bill_id, amount_micros, reference, at or now, method=method, recorded_by=by[:_MOST_NAME])
    return get_bill(tenant, bill_id)


@one_transaction
def acknowledge_notification(
    tenant: str, notification_id: int, *, now: datetime, by: str
) -> NotificationView:
    """Acknowledge a notification; idempotent, the first acknowledgement stays. Raises NotFound."""
    get_notification(tenant, notification_id)
    acknowledge(notification_id, by[:_MOST_NAME], now)
    return get_notification(tenant, notification_id)


def _queued(
    tenant: str, kind: Activity.Type, param: str, year: int, month: int, now: datetime, by: str
) -> ActivityView:
    wanted = asked_month(year, month)
    activity = queue_activity(
        kind,
        param,
        str(wanted.month) if wanted else "",
        str(wanted.year) if wanted else "",
        now=now,
        queued_by=by[:_MOST_NAME],
    )
    return get_activity(tenant, activity.pk)


def _last_msisdn(tenant: str, subscriber_id: int) -> str:
    subscriber = own_subscriber(tenant, subscriber_id)
    held = (
        ResourceAssignment.objects.filter(subscriber=subscriber, resource__kind=Resource.Kind.MSISDN)
        .order_by("-start", "-pk")
        .values_list("resource__value", flat=True)
        .first()
    )
    if held is None:
        raise Conflict(f"subscriber {subscriber} never had an MSISDN", code="no_msisdn", where="id")
    return str(held)
