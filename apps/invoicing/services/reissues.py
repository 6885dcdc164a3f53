"""Ask for a document to be issued again."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db import transaction

from apps.billing.models import Bill
from apps.invoicing.models import BillRendering
from apps.kernel.errors import NotFound


@transaction.atomic
def request_reissue(bill_ids: Collection[int], reason: str, by: str, now: datetime) -> None:
    """Have these bills' documents made again; the former ones are kept. Beat's next tick renders them.

    A bill that has no document yet, given up or waiting, is simply due again. Asking twice before it is done is asking
    once. Raises NotFound, and then asks for none, if there is no such bill.
    """
    wanted = sorted(set(bill_ids))
    bills = Bill.objects.select_for_update().filter(pk__in=wanted).order_by("pk").in_bulk()
    missing = [pk for pk in wanted if pk not in bills]
    if missing:
        raise NotFound(f"there is no bill {', '.join(map(str, missing[:20]))}")
    for pk in wanted:
        is_new = bills[pk].status == Bill.Status.NEW
        request = {
            "requested_at": None if is_new else now,
            "requested_by": "" if is_new else by[:150],
            "reason": "" if is_new else reason[:200],
        }
        rendering, created = BillRendering.objects.get_or_create(pk=pk, defaults=request)
        if created or (rendering.claimed_until is not None and rendering.claimed_until > now):
            continue
        if rendering.requested_at is not None:
            request = {}
        BillRendering.objects.filter(pk=pk).update(
            attempts=0, error="", retry_at=None, given_up_at=None, **request
        )
