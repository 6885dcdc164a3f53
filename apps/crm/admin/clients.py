"""API clients to edit, and their keys."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.contrib.filters.admin import RelatedDropdownFilter

from apps.backoffice.admins import HistoryAdmin
from apps.backoffice.display import badge, instant
from apps.backoffice.panels import Panel, Table, add_panel
from apps.crm.models import ApiClient
from apps.crm.services.staff import demand_giver
from apps.kernel.clock import utc_now


@admin.register(ApiClient)
class ApiClientAdmin(HistoryAdmin):
    list_display = ("name", "tenant", "roles", "enabled", "description")
    list_filter = ("enabled", ("tenant", RelatedDropdownFilter))
    list_select_related = ("tenant",)
    search_fields = ("name", "description")
    ordering = ("name",)
    fields = (("name", "tenant"), ("description", "enabled"), "roles", ("calls_a_second", "burst"))

    def save_model(self, request: HttpRequest, obj: ApiClient, form: Any, change: bool) -> None:
        if not change:
            obj.created_at = utc_now()
        demand_giver(request.user, obj.tenant_id, obj.roles.split())
        super().save_model(request, obj, form, change)


def _keys(request: HttpRequest, client: ApiClient) -> Table:
    """Keys are made and retired by ``manage.py apiclient``, so that no secret passes through a browser."""
    return Table(
        ("Key (kid)", "Made", "State"),
        [
            (
                key.kid,
                instant(key.created_at),
                badge(f"Retired {key.retired_at:%Y-%m-%d %H:%M} UTC", "danger")
                if key.retired_at
                else badge("In use", "success"),
            )
            for key in client.keys.all()
        ],
        "It has no key. ./run manage apiclient key NAME makes one and shows its secret, once.",
    )


add_panel("crm.apiclient", Panel("keys", "Signing keys", _keys, ("crm.view_apikey",), order=10))
