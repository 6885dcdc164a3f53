"""Reads of the insight room."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, NamedTuple

from django.db.models import Count, F, Max, Q, QuerySet, Sum
from django.db.models.functions import Abs

from apps.insight.models import (
    CollectorMark,
    MoneyDay,
    SubscriberDay,
    UsageDay,
    WhatIfAccount,
    WhatIfGroup,
    WhatIfShard,
)
from apps.kernel.currencies import decimals_of
from apps.kernel.money import format_micros

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


class WhatIfFigures(NamedTuple):
    """What a part of the traffic was charged and would be; micro-units of the currency."""

    name: str
    currency: str
    records: int
    refused: int
    free_before: int
    free_after: int
    before_micros: int
    after_micros: int
    cost_micros: int

    @property
    def added_micros(self) -> int:
        return self.after_micros - self.before_micros


# What a what-if is looked at by, and the fields that name a part of it.
WHAT_IF_PARTS = {
    "plans": "price_plan__name",
    "destinations": "destination__tag",
    "services": "service__name",
    "accounts": "account__number",
}
_SUMMED = WhatIfFigures._fields[2:]


def what_if_totals(what_if_id: int) -> list[WhatIfFigures]:
    """Its sums by currency, of the portions that are done."""
    rows: QuerySet[Any, Any] = WhatIfGroup.objects.filter(shard__what_if=what_if_id)
    return [
        WhatIfFigures("", row["currency"], *(row[name] for name in _SUMMED))
        for row in rows.values("currency")
        .annotate(**{name: Sum(name) for name in _SUMMED})
        .order_by("currency")
    ]


def what_if_parts(what_if_id: int, part: str) -> QuerySet[Any, dict[str, Any]]:
    """Its sums by a word of WHAT_IF_PARTS and currency, the greatest difference first; of ``added_micros`` and those of
    WhatIfFigures."""
    name = WHAT_IF_PARTS[part]
    rows: QuerySet[Any, Any]
    if part == "accounts":
        rows = WhatIfAccount.objects.filter(shard__what_if=what_if_id)
        rows = rows.values("account", name=F(name), currency=F("account__currency"))
    else:
        rows = WhatIfGroup.objects.filter(shard__what_if=what_if_id).values("currency", name=F(name))
    # First, since the sums take the names of what it is made of.
    rows = rows.annotate(added_micros=Sum(F("after_micros") - F("before_micros")))
    summed: QuerySet[Any, Any] = rows.annotate(**{field: Sum(field) for field in _SUMMED})
    return summed.order_by(Abs("added_micros").desc(), "name", "currency")


def winners_and_losers(what_if_id: int) -> tuple[int, int]:
    """How many accounts would pay less, and how many more."""
    found = WhatIfAccount.objects.filter(shard__what_if=what_if_id).aggregate(
        winners=Count("pk", filter=Q(after_micros__lt=F("before_micros"))),
        losers=Count("pk", filter=Q(after_micros__gt=F("before_micros"))),
    )
    return found["winners"], found["losers"]


def what_if_lines(what_if_id: int, part: str) -> Iterator[str]:
    """Its sums by a word of WHAT_IF_PARTS as CSV lines; amounts in the currency, usage in seconds, octets or events."""
    columns = (
        "records",
        "refused",
        "free_before",
        "free_after",
        "before",
        "after",
        "difference",
        "cost",
        "margin",
    )
    yield _csv_line(part.removesuffix("s"), *columns, "currency")
    for row in what_if_parts(what_if_id, part).iterator(chunk_size=2_000):
        amounts = (
            *(row[name] for name in ("before_micros", "after_micros", "added_micros", "cost_micros")),
            row["after_micros"] - row["cost_micros"],
        )
        decimals = decimals_of(row["currency"])
        yield _csv_line(
            row["name"],
            *(row[name] for name in columns[:4]),
            *(format_micros(amount, decimals) for amount in amounts),
            row["currency"],
        )


def what_if_progress(what_if_id: int) -> tuple[int, int]:
    """How many portions are done, and of how many."""
    found = WhatIfShard.objects.filter(what_if=what_if_id).aggregate(
        done=Count("pk", filter=Q(finished_at__isnull=False)), all=Count("pk")
    )
    return found["done"], found["all"]


def _csv_line(*values: object) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue()
