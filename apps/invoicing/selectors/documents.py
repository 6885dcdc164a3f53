"""Documents of bills, and why others are missing."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from django.db.models import Q

from apps.billing.models import Bill
from apps.invoicing.models import BillDocument, BillRendering


def current_document(bill_id: int) -> BillDocument | None:
    """The document that counts: the highest revision; None if none is written yet."""
    return BillDocument.objects.filter(bill_id=bill_id).order_by("-revision").first()


class Standing(NamedTuple):
    """Documents that are not written yet, by what they wait for."""

    in_hand: int
    waiting: int
    given_up: int


def standing(now: datetime) -> Standing:
    """How many documents other processes have in hand, wait for their next attempt, or were given up."""
    rows = BillRendering.objects.filter(Q(bill__status=Bill.Status.NEW) | Q(requested_at__isnull=False))
    return Standing(
        rows.filter(claimed_until__gt=now).count(),
        rows.filter(retry_at__gt=now).count(),
        rows.filter(given_up_at__isnull=False).count(),
    )
