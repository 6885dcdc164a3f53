"""Tenants: the operator and its brands."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from apps.rating.admin.reference import ReferenceAdmin
from apps.rating.models import Tenant


@admin.register(Tenant)
class TenantAdmin(ReferenceAdmin):
    list_display = ("code", "name", "time_zone", "currency", "locale")
    search_fields = ("code", "name")
    ordering = ("code",)
    fieldsets = (
        (None, {"fields": (("code", "name"), ("time_zone", "currency"))}),
        (
            "On bills",
            {
                "fields": (
                    ("legal_name", "locale"),
                    "address",
                    ("tax_number", "contact"),
                    "payment_details",
                )
            },
        ),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        # Its files, plans and records name a tenant by its code.
        return ("code",) if obj is not None else ()
