"""Re-ratings that are finished become notifications for staff."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from apps.billing.services.notifications import notify
from apps.events.models import Event
from apps.events.services.consuming import Consumer, register
from apps.kernel.currencies import format_money
from apps.rerating.domain.published import FINISHED
from apps.rerating.models import RerateJob
from apps.rerating.selectors import totals_of


def announce_finished(events: Sequence[Event], now: datetime) -> None:
    """Leave a notification for each."""
    for event in events:
        job_id, state, left = event.body["job_id"], event.body["state"], event.body["left"]
        sums = "; ".join(
            f"{total.changed} of {total.records} records, "
            f"{format_money(total.cost_before_micros, total.currency)} → "
            f"{format_money(total.cost_after_micros, total.currency)}"
            for total in totals_of(job_id)
        )
        text = f"Re-rating {job_id} is {state}: {sums or 'there are no such records'}"
        if left:
            text += f"; {left} accounts are left, see why on its page"
        tenant_id = RerateJob.objects.values_list("tenant_id", flat=True).get(pk=job_id)
        notify(text, now, level="warning" if left else "info", tenant_id=tenant_id)


NOTICES = Consumer("rerating-notices", (FINISHED,), announce_finished, repeatable=False)


def register_consumer() -> None:
    register(NOTICES)
