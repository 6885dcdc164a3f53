"""The audit record to look at."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display

from apps.backoffice.admins import ReadOnlyAdmin
from apps.backoffice.display import badge, instant
from apps.backoffice.paging import InfinitePaginator
from apps.crm.models import ApiCall


@admin.register(ApiCall)
class ApiCallAdmin(ReadOnlyAdmin):
    list_display = ("at_label", "door", "operation", "client", "subject", "target", "outcome_label", "detail")
    list_display_links = ("at_label",)
    list_filter = ("door", ("tenant", RelatedDropdownFilter))
    list_select_related = ("tenant",)
    search_fields = ("=target", "=subject", "=operation", "=request_id", "=token_id")
    search_help_text = "Target (subscriber 12), subject, operation, request or token, each in full"
    ordering = ("-pk",)
    paginator = InfinitePaginator
    fields = (
        ("at_label", "tenant"),
        ("door", "operation"),
        ("client", "subject"),
        ("roles", "token_id"),
        ("target", "outcome_label"),
        ("remote", "request_id"),
        ("repeated", "detail"),
    )

    @display(description="When", ordering="at")
    def at_label(self, call: ApiCall) -> Any:
        return instant(call.at, seconds=True)

    @display(description="Outcome", ordering="outcome")
    def outcome_label(self, call: ApiCall) -> Any:
        return badge(call.outcome, "success" if call.outcome == "ok" else "danger")
