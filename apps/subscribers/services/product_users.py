"""Who has a price plan or a bundle, to be shown before it is retired."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import F, Q, QuerySet

from apps.rating.services.retiring import Product, add_user, shown
from apps.subscribers.models import BundleAssignment, PlanAssignment

SHOWN = 5


def _holders(assignments: QuerySet[Any], now: datetime) -> str:
    """Subscribers that have it now or are going to."""
    held = assignments.filter(Q(end__isnull=True) | Q(end__gt=now)).exclude(end=F("start"))
    numbers = held.order_by("pk").values_list("subscriber__number", flat=True)
    return shown(list(numbers[:SHOWN]), held.count(), "subscriber")


def holders_of_plan(plan: Product, now: datetime) -> str:
    return _holders(PlanAssignment.objects.filter(price_plan=plan.pk), now)


def holders_of_bundle(bundle: Product, now: datetime) -> str:
    return _holders(BundleAssignment.objects.filter(bundle=bundle.pk), now)


def register() -> None:
    """Have both asked before a product is retired."""
    add_user("rating.priceplan", holders_of_plan)
    add_user("rating.bundle", holders_of_bundle)
