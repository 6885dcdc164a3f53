"""The last bill of an account that ends: queued with the end itself, up to that time."""

from __future__ import annotations

from datetime import datetime

from apps.billing.domain.activities import ActivityParameters
from apps.billing.models import Activity, BillingAccount
from apps.billing.services.cycles import enrol_accounts
from apps.charging.models import Payer
from apps.kernel.periods import month_of
from apps.subscribers.models import ResourceAssignment, Subscriber
from apps.subscribers.services import lifecycle


def queue_last_bill(subscriber: Subscriber, at: datetime) -> None:
    """Queue the bill of all unbilled usage and fees, if the subscriber's account has ended with it at ``at``.

    Usage that is loaded later is on a bill of the next run.
    """
    payer = Payer.objects.select_related("account").filter(subscriber=subscriber).first()
    if payer is None or payer.account.closed_at != at:
        return
    enrol_accounts()
    row = BillingAccount.objects.select_related("cycle").filter(pk=payer.account_id).first()
    if row is None:
        # Its tenant has no cycle in its currency; the first run after there is one bills it.
        return
    # Its assignment has just ended.
    msisdn = (
        ResourceAssignment.objects.filter(subscriber=subscriber, resource__kind="msisdn")
        .order_by("-start")
        .values_list("resource__value", flat=True)
        .first()
    )
    month = month_of(at, row.cycle.zone)
    parameters = ActivityParameters(month, msisdn or "", 0, payer.account_id, at)
    Activity.objects.create(
        type=Activity.Type.SINGLE_BILLING,
        payload=parameters.as_json(),
        cycle=row.cycle,
        queued_by="termination",
        queued_at=at,
    )


def register() -> None:
    """Have it done whenever a subscriber ends, after charging has closed the account."""
    if queue_last_bill not in lifecycle.on_terminate:
        lifecycle.on_terminate.append(queue_last_bill)
