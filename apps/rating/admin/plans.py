"""Price plans and bundles with the terms of their services."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display

from apps.backoffice.admins import MoneyInline
from apps.backoffice.display import grouped
from apps.kernel.clock import utc_now
from apps.rating.admin.reference import ReferenceAdmin, RetiredFilter, retire_actions
from apps.rating.models import Bundle, BundleService, PricePlan, PricePlanService


class PricePlanServiceInline(MoneyInline):
    model = PricePlanService
    verbose_name = "service"
    verbose_name_plural = "services"
    fields = ("service", "price_micros", "free_units", "free_destinations")


class BundleServiceInline(MoneyInline):
    model = BundleService
    verbose_name = "service"
    verbose_name_plural = "services"
    fields = ("service", "free_units", "free_destinations")


class ProductAdmin(ReferenceAdmin):
    """What price plans and bundles have in common."""

    list_filter = (("tenant", RelatedDropdownFilter), RetiredFilter)
    list_select_related = ("tenant",)
    search_fields = ("code", "name")
    ordering = ("tenant", "code")
    currency_path = "currency"

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        # A subscriber's plan cannot move to another tenant, and tariffs name plans by their code.
        return ("retired_label", "tenant", "code") if obj is not None else ("retired_label",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        now = utc_now()
        valid = (Q(assignments__end__isnull=True) | Q(assignments__end__gt=now)) & Q(
            assignments__start__lte=now
        )
        rows: QuerySet[Any] = (
            super().get_queryset(request).annotate(holders=Count("assignments", filter=valid))
        )
        return rows

    @display(description="Subscribers", ordering="holders")
    def subscribers(self, product: Any) -> str:
        return grouped(product.holders)


@admin.register(PricePlan)
class PricePlanAdmin(ProductAdmin):
    list_display = (
        "name",
        "code",
        "monthly_fee",
        "rating_subject",
        "expiration_date",
        "subscribers",
        "tenant",
        "retired_label",
    )
    fields = (
        ("code", "name"),
        ("tenant", "currency"),
        ("monthly_fee_micros", "rating_subject"),
        ("expiration_date", "retired_label"),
    )
    inlines = (PricePlanServiceInline,)
    page_actions = retire_actions("rating.change_priceplan")


@admin.register(Bundle)
class BundleAdmin(ProductAdmin):
    list_display = ("name", "code", "monthly_fee", "subscribers", "tenant", "retired_label")
    fields = (("code", "name"), ("tenant", "currency"), ("monthly_fee_micros", "retired_label"))
    inlines = (BundleServiceInline,)
    page_actions = retire_actions("rating.change_bundle")
