"""Bill cycles: who is billed together, when, and on which queue."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Count
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display

from apps.backoffice.admins import HistoryAdmin, KeptMixin
from apps.backoffice.display import badge, grouped
from apps.billing.models import BillCycle


@admin.register(BillCycle)
class BillCycleAdmin(KeptMixin, HistoryAdmin):
    list_display = (
        "number",
        "name",
        "day",
        "accounts_label",
        "currency",
        "time_zone",
        "payment_term_days",
        "queue_label",
        "tenant",
        "state_label",
    )
    list_display_links = ("number", "name")
    list_filter = (("tenant", RelatedDropdownFilter),)
    list_select_related = ("tenant",)
    search_fields = ("name", "=number")
    ordering = ("number",)
    fields = (
        ("number", "name"),
        ("tenant", "currency"),
        ("day", "time_zone"),
        ("payment_term_days", "queue_label"),
        "state_label",
    )

    def get_readonly_fields(self, request, obj=None):
        # Accounts, bills and the queue's worker go by these.
        fixed = ("number", "tenant", "currency") if obj is not None else ()
        return ("queue_label", "state_label", *fixed)

    def get_queryset(self, request):
        return super().get_queryset(request).annotate(accounts_count=Count("accounts"))

    @display(description="Accounts", ordering="accounts_count")
    def accounts_label(self, cycle: BillCycle) -> str:
        return grouped(cycle.accounts_count)

    @display(description="Queue")
    def queue_label(self, cycle: BillCycle) -> str:
        return cycle.queue if cycle.number is not None else "–"

    @display(description="State")
    def state_label(self, cycle: BillCycle):
        if cycle.retired_at is None:
            return badge("In use", "success")
        return badge(f"Retired {cycle.retired_at:%Y-%m-%d}")
