"""Reads of the insight room."""

from __future__ import annotations

from datetime import date, datetime
from typing import NamedTuple

from django.db.models import Max

from apps.insight.models import CollectorMark, MoneyDay, SubscriberDay, UsageDay

TOP_UP = "top_up"
ONLINE_USAGE = "online_usage"


class UsageFigures(NamedTuple):
    """Usage in seconds, octets or events; money in micro-units of the plan's currency."""

    day: date
    service: str
    price_plan: str
    currency: str
    records: int
    usage: int
    free_usage: int
    revenue_micros: int


class SubscriberFigures(NamedTuple):
    day: date
    price_plan: str
    active: int
    new: int
    terminated: int


class MoneyFigures(NamedTuple):
    day: date
    currency: str
    entries: int
    amount_micros: int


def collected_at() -> datetime | None:
    """When the timer last looked; None = never yet."""
    found: datetime | None = CollectorMark.objects.aggregate(at=Max("at"))["at"]
    return found


def usage_by_day(
    tenant_id: int, first: date, last: date, service_id: int | None = None, price_plan_id: int | None = None
) -> list[UsageFigures]:
    """By day, service and plan, for days from ``first`` to ``last`` (both included)."""
    rows = UsageDay.objects.filter(tenant_id=tenant_id, day__gte=first, day__lte=last)
    if service_id is not None:
        rows = rows.filter(service_id=service_id)
    if price_plan_id is not None:
        rows = rows.filter(price_plan_id=price_plan_id)
    return [
        UsageFigures(*row)
        for row in rows.order_by("day", "service_id", "price_plan_id").values_list(
            "day",
            "service__code",
            "price_plan__code",
            "price_plan__currency",
            "records",
            "usage",
            "free_usage",
            "revenue_micros",
        )
    ]


def subscribers_by_day(
    tenant_id: int, first: date, last: date, price_plan_id: int | None = None
) -> list[SubscriberFigures]:
    """By day and plan, likewise."""
    rows = SubscriberDay.objects.filter(tenant_id=tenant_id, day__gte=first, day__lte=last)
    if price_plan_id is not None:
        rows = rows.filter(price_plan_id=price_plan_id)
    return [
        SubscriberFigures(*row)
        for row in rows.order_by("day", "price_plan_id").values_list(
            "day", "price_plan__code", "active", "new", "terminated"
        )
    ]


def top_ups_by_day(tenant_id: int, first: date, last: date) -> list[MoneyFigures]:
    """Top-ups by day and currency, likewise."""
    return money_by_day(tenant_id, first, last, TOP_UP)


def money_by_day(tenant_id: int, first: date, last: date, kind: str) -> list[MoneyFigures]:
    """Movements of one kind by day and currency, likewise."""
    rows = MoneyDay.objects.filter(tenant_id=tenant_id, day__gte=first, day__lte=last, kind=kind)
    return [
        MoneyFigures(*row)
        for row in rows.order_by("day", "currency").values_list("day", "currency", "entries", "amount_micros")
    ]
