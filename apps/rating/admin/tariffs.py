"""Timings, rates, destination rates, rating plans and profiles: the rows that tariff files fill."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import AutocompleteSelectFilter, RelatedDropdownFilter
from unfold.decorators import display

from apps.backoffice.admins import ReadOnlyAdmin
from apps.backoffice.display import grouped, instant, link_to
from apps.backoffice.panels import Panel, Table, add_panel, page_of
from apps.kernel.units import figure
from apps.rating.admin.reference import TariffAdmin
from apps.rating.models import (
    DestinationRate,
    DestinationRateEntry,
    Rate,
    RateSlot,
    RatingPlan,
    RatingPlanEntry,
    RatingProfile,
    TariffPlan,
    Timing,
)


def clock(second_of_day: int) -> str:
    return f"{second_of_day // 3600:02d}:{second_of_day // 60 % 60:02d}:{second_of_day % 60:02d}"


@admin.register(TariffPlan)
class TariffPlanAdmin(ReadOnlyAdmin):
    """Sets of rows; they come into being with the files that are loaded."""

    list_display = ("code",)
    search_fields = ("code",)
    fields = ("code",)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return False


class TariffRowAdmin(TariffAdmin):
    """A named row of a tariff plan."""

    list_filter = (("tariff_plan", RelatedDropdownFilter),)
    list_select_related = ("tariff_plan",)
    search_fields = ("code",)
    ordering = ("code",)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        # Rows refer to each other within their tariff plan.
        return (*super().get_readonly_fields(request, obj), *(("tariff_plan",) if obj is not None else ()))


@admin.register(Timing)
class TimingAdmin(TariffRowAdmin):
    shared = True
    list_display = ("code", "when", "weekdays", "month_days", "months", "years", "tariff_plan")
    fields = (("code", "tariff_plan"), ("start_s", "end_s"), ("weekdays", "month_days"), ("months", "years"))

    @display(description="Time of day", ordering="start_s")
    def when(self, timing: Timing) -> str:
        return f"{clock(timing.start_s)} to {clock(timing.end_s)}"


class RateSlotInline(TabularInline):
    model = RateSlot
    verbose_name = "slot"
    verbose_name_plural = "slots"
    extra = 0
    fields = ("group_start", "connect_fee", "price", "unit", "increment")


@admin.register(Rate)
class RateAdmin(TariffRowAdmin):
    list_display = ("code", "slots_label", "tariff_plan")
    fields = (("code", "tariff_plan"), "nanoseconds")
    inlines = (RateSlotInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request).prefetch_related("slots")
        return rows

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        first = form.instance.slots.order_by("group_start").first()
        if first is not None and first.group_start > 0:
            start = figure(first.group_start, form.instance.nanoseconds)
            self.message_user(
                request,
                f"The rate has no slot that starts at 0: usage before {start} is priced by the slot of {start}.",
                messages.WARNING,
            )

    @display(description="Slots")
    def slots_label(self, rate: Rate) -> str:
        texts = []
        for slot in rate.slots.all():
            fee = f", connect {slot.connect_fee}" if slot.connect_fee not in ("0", "") else ""
            start, unit, increment = (
                figure(number, rate.nanoseconds) for number in (slot.group_start, slot.unit, slot.increment)
            )
            since = f"from {start}: " if slot.group_start else ""
            texts.append(f"{since}{slot.price} for {unit}, by {increment}{fee}")
        return "; ".join(texts) or "–"


@admin.register(DestinationRate)
class DestinationRateAdmin(TariffRowAdmin):
    list_display = ("code", "entries_label", "tariff_plan")
    fields = (("code", "tariff_plan"),)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request).annotate(entries_count=Count("entries"))
        return rows

    @display(description="Destinations", ordering="entries_count")
    def entries_label(self, row: Any) -> str:
        return grouped(row.entries_count)


@admin.register(DestinationRateEntry)
class DestinationRateEntryAdmin(TariffAdmin):
    """A destination's rate, on a page of its own: a destination rate may have hundreds."""

    list_display = ("destination_label", "rate", "rounding", "max_cost", "destination_rate")
    list_filter = (
        ("destination_rate", AutocompleteSelectFilter),
        ("destination", AutocompleteSelectFilter),
        ("rate", AutocompleteSelectFilter),
    )
    list_select_related = ("destination", "rate", "destination_rate")
    search_fields = ("destination__code", "rate__code")
    ordering = ("destination_rate", "pk")
    autocomplete_fields = ("destination_rate", "destination", "rate")
    fields = (
        "destination_rate",
        ("destination", "rate"),
        ("rounding_method", "rounding_decimals"),
        ("max_cost", "max_cost_strategy"),
    )

    @display(description="Destination", ordering="destination")
    def destination_label(self, entry: DestinationRateEntry) -> str:
        return str(entry.destination or "*any")

    @display(description="Rounding")
    def rounding(self, entry: DestinationRateEntry) -> str:
        if not entry.rounding_decimals:
            return "exact"
        return f"{entry.rounding_method} to {entry.rounding_decimals} decimals"


class RatingPlanEntryInline(TabularInline):
    model = RatingPlanEntry
    verbose_name = "destination rate"
    verbose_name_plural = "destination rates"
    extra = 0
    fields = ("destination_rate", "timing", "weight")
    autocomplete_fields = ("destination_rate", "timing")


@admin.register(RatingPlan)
class RatingPlanAdmin(TariffRowAdmin):
    list_display = ("code", "entries_label", "profiles_label", "tariff_plan")
    fields = (("code", "tariff_plan"),)
    inlines = (RatingPlanEntryInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = (
            super()
            .get_queryset(request)
            .annotate(
                entries_count=Count("entries", distinct=True), profiles_count=Count("profiles", distinct=True)
            )
        )
        return rows

    @display(description="Destination rates", ordering="entries_count")
    def entries_label(self, plan: Any) -> str:
        return grouped(plan.entries_count)

    @display(description="Profiles", ordering="profiles_count")
    def profiles_label(self, plan: Any) -> str:
        return grouped(plan.profiles_count)


@admin.register(RatingProfile)
class RatingProfileAdmin(TariffAdmin):
    list_display = ("subject", "category", "rating_plan", "active_from", "fallback_subjects", "tenant")
    list_filter = (("tenant", RelatedDropdownFilter), ("rating_plan", AutocompleteSelectFilter))
    list_select_related = ("tenant", "rating_plan")
    search_fields = ("subject", "category")
    ordering = ("tenant", "category", "subject", "-activation_time")
    autocomplete_fields = ("rating_plan",)
    fields = (
        ("tenant", "category"),
        ("subject", "activation_time"),
        ("rating_plan", "fallback_subjects"),
        "cdr_stat_queues",
    )

    @display(description="Active from", ordering="activation_time")
    def active_from(self, profile: RatingProfile) -> str:
        return instant(profile.activation_time)


def entries(request: HttpRequest, row: DestinationRate) -> Table:
    found, previous_url, next_url = page_of(
        request,
        "entries",
        row.entries.select_related("destination", "rate").order_by("destination__code", "pk"),
        100,
    )
    may_add = request.user.has_perm("rating.add_destinationrateentry")
    add_url = reverse("admin:rating_destinationrateentry_add")
    return Table(
        ("Destination", "Rate", "Rounding", "Maximum cost"),
        [
            (
                link_to(entry, entry.destination or "*any"),
                link_to(entry.rate),
                f"{entry.rounding_method} to {entry.rounding_decimals} decimals"
                if entry.rounding_decimals
                else "exact",
                f"{entry.max_cost}, {entry.get_max_cost_strategy_display()}"
                if entry.max_cost_strategy
                else "–",
            )
            for entry in found
        ],
        "No destination yet.",
        previous_url=previous_url,
        next_url=next_url,
        more_url=f"{add_url}?destination_rate={row.pk}" if may_add else "",
        more_text="Add a destination",
    )


def profiles(request: HttpRequest, plan: RatingPlan) -> Table:
    rows = plan.profiles.select_related("tenant").order_by(
        "tenant", "category", "subject", "-activation_time"
    )
    found, previous_url, next_url = page_of(request, "profiles", rows)
    return Table(
        ("Subject", "Category", "Tenant", "Active from", "Fallback subjects"),
        [
            (
                link_to(row, row.subject),
                row.category,
                row.tenant,
                instant(row.activation_time),
                row.fallback_subjects or "–",
            )
            for row in found
        ],
        "No rating profile uses it.",
        previous_url=previous_url,
        next_url=next_url,
    )


add_panel(
    "rating.destinationrate", Panel("entries", "Destinations", entries, ("rating.view_destinationrateentry",))
)
add_panel("rating.ratingplan", Panel("profiles", "Rating profiles", profiles, ("rating.view_ratingprofile",)))
