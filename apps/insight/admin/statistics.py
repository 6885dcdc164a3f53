"""Statistics by day: the list, and above it what the list comes to, as charts of what the filters leave."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections import defaultdict
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Max, Min, QuerySet, Sum
from django.forms.widgets import MediaDefiningClass
from django.http import HttpRequest, HttpResponse
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display

from apps.backoffice.admins import ReadOnlyAdmin
from apps.backoffice.charts import bars, chart, day_labels
from apps.backoffice.display import grouped, instant, plain_money, usage
from apps.backoffice.filters import DaysFilter
from apps.backoffice.panels import Fact
from apps.insight.models import MoneyDay, SubscriberDay, UsageDay
from apps.insight.selectors import ONLINE_USAGE, collected_at
from apps.kernel.money import MICROS_PER_UNIT

DAYS = 31
MOST_SETS = 8
KINDS = {ONLINE_USAGE: "Usage in real time", "top_up": "Top-up", "usage": "Usage of records"}


class _AbstractAdmin(ABCMeta, MediaDefiningClass):
    """An admin that cannot be registered before it has everything it promises."""


class ChartsAbove(ReadOnlyAdmin, metaclass=_AbstractAdmin):
    """A list of sums by day with facts and charts of the newest month that the filters leave."""

    list_before_template = "admin/backoffice/charts.html"
    ordering = ("-day", "-pk")

    class Media:
        js = ("unfold/js/chart/chart.js",)

    @abstractmethod
    def charts(self, rows: QuerySet[Any], days: list[date]) -> list[dict[str, Any]]:
        """Charts of the rows, which are of these days."""

    @abstractmethod
    def facts(self, rows: QuerySet[Any], days: list[date]) -> list[Fact]:
        """What the rows, which are of these days, come to."""

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        response: HttpResponse = super().changelist_view(request, extra_context)
        context = getattr(response, "context_data", None)
        if context and "cl" in context:
            rows = context["cl"].queryset.order_by()
            days = _days_of(rows)
            newest = rows.filter(day__gte=days[0], day__lte=days[-1]) if days else rows
            context["charts"] = self.charts(newest, days) if days else []
            context["facts"] = [
                *(self.facts(newest, days) if days else []),
                Fact("Collected", instant(collected_at()), "by the timer"),
            ]
        return response

    @display(description="Day", ordering="day")
    def day_label(self, row: Any) -> str:
        return f"{row.day:%Y-%m-%d}"


@admin.register(UsageDay)
class UsageDayAdmin(ChartsAbove):
    currency_path = "price_plan__currency"
    list_display = (
        "day_label",
        "service",
        "price_plan",
        "records_label",
        "usage_label",
        "free_label",
        "revenue",
        "tenant",
    )
    list_filter = (
        ("day", DaysFilter),
        ("service", RelatedDropdownFilter),
        ("price_plan", RelatedDropdownFilter),
        ("tenant", RelatedDropdownFilter),
    )
    list_select_related = ("service", "price_plan", "tenant")
    fields = (
        ("day_label", "tenant"),
        ("service", "price_plan"),
        ("records_label", "revenue"),
        ("usage_label", "free_label", "billed_label"),
    )

    def charts(self, rows: QuerySet[Any], days: list[date]) -> list[dict[str, Any]]:
        records: dict[str, dict[date, float]] = defaultdict(dict)
        for service, day, count in rows.values_list("service__name", "day").annotate(sum=Sum("records")):
            records[service][day] = count
        revenue: dict[str, dict[date, float]] = defaultdict(dict)
        currencies = set(rows.values_list("price_plan__currency", flat=True).distinct())
        for service, day, currency, amount in rows.values_list(
            "service__name", "day", "price_plan__currency"
        ).annotate(revenue=Sum("revenue_micros")):
            label = service if len(currencies) == 1 else f"{service}, {currency}"
            revenue[label][day] = amount / MICROS_PER_UNIT
        unit = f" in {next(iter(currencies))}" if len(currencies) == 1 else ""
        return [
            _by_day("revenue", f"Revenue by day and service{unit}", revenue, days),
            _by_day("records", "Records by day and service", records, days),
        ]

    def facts(self, rows: QuerySet[Any], days: list[date]) -> list[Fact]:
        span = _span(days)
        facts = [Fact("Records", grouped(rows.aggregate(sum=Sum("records"))["sum"]), span)]
        for currency, amount in rows.values_list("price_plan__currency").annotate(sum=Sum("revenue_micros")):
            facts.append(Fact("Revenue", plain_money(amount // 10_000 * 10_000, currency), span))
        return facts

    @display(description="Records", ordering="records")
    def records_label(self, row: UsageDay) -> str:
        return grouped(row.records)

    @display(description="Usage", ordering="usage")
    def usage_label(self, row: UsageDay) -> str:
        return usage(row.usage, row.service.type_of_record)

    @display(description="Free of charge", ordering="free_usage")
    def free_label(self, row: UsageDay) -> str:
        return usage(row.free_usage, row.service.type_of_record)

    @display(description="Billed")
    def billed_label(self, row: UsageDay) -> str:
        return usage(row.billed_usage, row.service.type_of_record)


@admin.register(SubscriberDay)
class SubscriberDayAdmin(ChartsAbove):
    list_display = ("day_label", "price_plan", "active", "suspended", "new", "terminated", "tenant")
    list_filter = (
        ("day", DaysFilter),
        ("price_plan", RelatedDropdownFilter),
        ("tenant", RelatedDropdownFilter),
    )
    list_select_related = ("price_plan", "tenant")
    fields = (("day_label", "tenant"), "price_plan", ("active", "suspended"), ("new", "terminated"))

    def charts(self, rows: QuerySet[Any], days: list[date]) -> list[dict[str, Any]]:
        active: dict[str, dict[date, float]] = defaultdict(dict)
        for plan, day, count in rows.values_list("price_plan__name", "day").annotate(sum=Sum("active")):
            active[plan][day] = count
        moves: dict[str, dict[date, float]] = {"New": {}, "Terminated": {}}
        for day, new, gone in rows.values_list("day").annotate(new=Sum("new"), gone=Sum("terminated")):
            moves["New"][day], moves["Terminated"][day] = new, gone
        return [
            _by_day("active", "Active subscribers by day and plan", active, days),
            _by_day("moves", "New and terminated by day", moves, days, stacked=False),
        ]

    def facts(self, rows: QuerySet[Any], days: list[date]) -> list[Fact]:
        last = rows.filter(day=days[-1]).aggregate(active=Sum("active"), suspended=Sum("suspended"))
        moves = rows.aggregate(new=Sum("new"), terminated=Sum("terminated"))
        return [
            Fact(
                "Active", grouped(last["active"]), f"{days[-1]:%d %b}, {grouped(last['suspended'])} suspended"
            ),
            Fact("New", grouped(moves["new"]), _span(days)),
            Fact("Terminated", grouped(moves["terminated"]), _span(days)),
        ]


@admin.register(MoneyDay)
class MoneyDayAdmin(ChartsAbove):
    currency_path = "currency"
    list_display = ("day_label", "kind_label", "entries_label", "amount", "tenant")
    list_filter = (
        ("day", DaysFilter),
        ("tenant", RelatedDropdownFilter),
    )
    list_select_related = ("tenant",)
    search_fields = ("=kind", "=currency")
    search_help_text = "Kind, such as top_up or online_usage; or currency"
    fields = (("day_label", "tenant"), ("kind_label", "currency"), ("entries_label", "amount"))

    def charts(self, rows: QuerySet[Any], days: list[date]) -> list[dict[str, Any]]:
        return [
            self._chart(rows, days, "top_up", "Top-ups by day", 1),
            self._chart(rows, days, ONLINE_USAGE, "Usage charged in real time by day", -1),
        ]

    def facts(self, rows: QuerySet[Any], days: list[date]) -> list[Fact]:
        return [
            Fact("Top-ups", plain_money(amount, currency), f"{grouped(entries)}, {_span(days)}")
            for currency, entries, amount in rows.filter(kind="top_up")
            .values_list("currency")
            .annotate(entries=Sum("entries"), amount=Sum("amount_micros"))
        ]

    @staticmethod
    def _chart(rows: QuerySet[Any], days: list[date], kind: str, title: str, sign: int) -> dict[str, Any]:
        sums: dict[str, dict[date, float]] = defaultdict(dict)
        for currency, day, amount in (
            rows.filter(kind=kind).values_list("currency", "day").annotate(sum=Sum("amount_micros"))
        ):
            sums[currency][day] = sign * amount / MICROS_PER_UNIT
        unit = f" in {next(iter(sums))}" if len(sums) == 1 else ""
        return _by_day(kind, title + unit, sums, days)

    @display(description="Kind", ordering="kind")
    def kind_label(self, row: MoneyDay) -> str:
        return KINDS.get(row.kind, row.kind.replace("_", " ").capitalize())

    @display(description="Entries", ordering="entries")
    def entries_label(self, row: MoneyDay) -> str:
        return grouped(row.entries)


def _days_of(rows: QuerySet[Any]) -> list[date]:
    """The newest day and those before it that hold something, or would; at most a month."""
    span = rows.aggregate(first=Min("day"), last=Max("day"))
    if span["last"] is None:
        return []
    count = min(DAYS, (span["last"] - span["first"]).days + 1)
    return [span["last"] - timedelta(days=back) for back in range(count - 1, -1, -1)]


def _span(days: list[date]) -> str:
    return f"{days[0]:%d %b} – {days[-1]:%d %b}" if len(days) > 1 else f"{days[0]:%d %b}"


def _by_day(
    key: str, title: str, sums: dict[str, dict[date, float]], days: list[date], *, stacked: bool = True
) -> dict[str, Any]:
    names: list[str] = sorted(sums, key=_largest_first(sums)) if stacked else list(sums)
    sets = [
        bars(name, [sums[name].get(day, 0) for day in days], place)
        for place, name in enumerate(names[:MOST_SETS])
    ]
    rest = names[MOST_SETS:]
    if rest:
        others = [sum(sums[name].get(day, 0) for name in rest) for day in days]
        sets.append(bars("Others", others, MOST_SETS))
    return chart(
        key, title, "bar", day_labels(days), sets if any(any(one["data"]) for one in sets) else [], url="", link="",
        span=6, stacked=stacked,
    )  # fmt: skip


def _largest_first(sums: dict[str, dict[date, float]]) -> Callable[[str], tuple[float, str]]:
    return lambda name: (-sum(sums[name].values()), name)
