"""Customers: who has a contract."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from apps.backoffice.admins import HistoryAdmin, KeptMixin
from apps.backoffice.display import NOTHING, instant
from apps.subscribers.models import Customer


@admin.register(Customer)
class CustomerAdmin(KeptMixin, HistoryAdmin):
    """Contact data is edited here; new customers come in through onboarding (billing room), with all they need."""

    list_display = ("name", "number", "kind", "city", "email", "phone", "tenant")
    list_display_links = ("name", "number")
    list_filter = (
        ("tenant", RelatedDropdownFilter),
        ("kind", ChoicesDropdownFilter),
    )
    list_select_related = ("tenant",)
    search_fields = ("number", "name", "city", "email", "=phone")
    search_help_text = "Number, name, city, e-mail or phone"
    ordering = ("-pk",)
    fieldsets = (
        (None, {"fields": (("name", "kind"), ("number", "tenant"), "created")}),
        ("Address", {"fields": ("street", "address_line2", ("postcode", "city"), ("region", "country"))}),
        ("Contact", {"fields": (("email", "phone"), "tax_number", "locale")}),
        ("Payment", {"fields": ("card",)}),
    )
    readonly_fields = ("tenant", "number", "created", "card")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    @display(description="Customer since")
    def created(self, customer: Customer) -> str:
        return instant(customer.created_at)

    @display(description="Card")
    def card(self, customer: Customer) -> str:
        card = getattr(customer, "payment_card", None)
        if card is None:
            return NOTHING
        until = f", until {card.expiry_month:02d}/{card.expiry_year}" if card.expiry_month else ""
        return f"{card}{until}" + (f", {card.holder}" if card.holder else "")
