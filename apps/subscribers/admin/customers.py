"""Customers: who has a contract."""

from __future__ import annotations

from django.contrib import admin
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from apps.backoffice.admins import HistoryAdmin, KeptMixin
from apps.backoffice.display import instant
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
        ("Address", {"fields": ("street", ("postcode", "city"), "country")}),
        ("Contact", {"fields": (("email", "phone"), "tax_number", "locale")}),
    )
    readonly_fields = ("tenant", "number", "created")

    def has_add_permission(self, request) -> bool:
        return False

    @display(description="Customer since")
    def created(self, customer: Customer):
        return instant(customer.created_at)
