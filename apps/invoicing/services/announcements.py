"""News for operators: the documents of a cycle's period are all there."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F

from apps.billing.models import Bill, BillRun, Notification
from apps.billing.services.notifications import notify
from apps.invoicing.models import BillRendering, DocumentCount


def announce_finished(now: datetime) -> int:
    """One notification for each cycle and period of which documents came and none is due any more; how many."""
    told = 0
    for pk in DocumentCount.objects.filter(documents__gt=F("announced")).values_list("pk", flat=True):
        told += _announce(pk, now)
    return told


@transaction.atomic
def _announce(count_id: int, now: datetime) -> int:
    count = DocumentCount.objects.select_for_update().select_related("cycle").get(pk=count_id)
    open_bills = Bill.objects.filter(
        status=Bill.Status.NEW, cycle_id=count.cycle_id, period_end=count.period_end
    )
    given_up = BillRendering.objects.filter(bill__in=open_bills, given_up_at__isnull=False).count()
    still_running = BillRun.objects.filter(
        cycle_id=count.cycle_id, period_end=count.period_end, state=BillRun.State.RUNNING
    )
    if count.documents == count.announced or open_bills.count() > given_up or still_running.exists():
        return 0
    last = (count.period_end - timedelta(microseconds=1)).astimezone(count.cycle.zone)
    new = count.documents - count.announced
    text = (
        f"{count.cycle}: {new:,} document{'s' if new != 1 else ''} written for the period to {last:%Y-%m-%d}"
    )
    if given_up:
        text += f"; {given_up:,} could not be rendered"
    notify(text, now, level="warning" if given_up else "info", tenant_id=count.cycle.tenant_id)
    count.announced = count.documents
    count.save(update_fields=["announced"])
    return 1


@transaction.atomic
def tell_trouble(text: str, now: datetime) -> None:
    """Tell operators why no documents come, once until they have acknowledged it."""
    if not Notification.objects.filter(text=text[:500], acknowledged_at=None).exists():
        notify(text, now, level="error")
