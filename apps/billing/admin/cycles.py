"""Bill cycles: who is billed together, when, and on which queue."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display

from apps.backoffice.actions import PageAction
from apps.backoffice.admins import HistoryAdmin, KeptMixin
from apps.backoffice.display import badge, grouped
from apps.backoffice.forms import ActionForm
from apps.billing.models import Activity, BillCycle
from apps.billing.services.activities import queue_activity
from apps.billing.services.cycles import create_cycle, retire_cycle
from apps.kernel.clock import utc_now


class RunForm(ActionForm):
    """The month in which the period begins; empty is the last one that has ended."""

    month = forms.CharField(
        required=False,
        max_length=7,
        label="Period that begins in",
        help_text="A month such as 2026-01. Empty: the last period that has ended.",
        widget=forms.TextInput(attrs={"placeholder": "YYYY-MM"}),
    )

    def clean_month(self) -> tuple[str, str]:
        text = self.cleaned_data["month"].strip()
        if not text:
            return "", ""
        match = re.fullmatch(r"(\d{4})-(\d{1,2})", text)
        if match is None or not 1 <= int(match[2]) <= 12:
            raise forms.ValidationError(f"“{text}” is not a month; write it like 2026-01.")
        return match[2], match[1]


def run_cycle(request: HttpRequest, cycle: BillCycle, form: RunForm) -> HttpResponse:
    month, year = form.cleaned_data["month"]
    activity = queue_activity(
        Activity.Type.FULL_BILLRUN,
        str(cycle.number),
        month,
        year,
        now=utc_now(),
        queued_by=request.user.get_username(),
    )
    messages.success(request, f"Activity {activity.pk} is queued; it starts on {cycle.queue} within seconds.")
    return HttpResponseRedirect(reverse("admin:billing_activity_watch", args=(activity.pk,)))


def retire(request: HttpRequest, cycle: BillCycle, form: ActionForm) -> str:
    retire_cycle(cycle.pk, utc_now())
    return f"{cycle} is retired."


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

    page_actions = (
        PageAction(
            "retire",
            "Retire",
            ("billing.change_billcycle",),
            retire,
            icon="block",
            offered=lambda cycle: cycle.retired_at is None,
            explain=lambda cycle: (
                f"{cycle} bills no account any more, and its worker stops. A cycle that has accounts cannot be retired."
            ),
        ),
        PageAction(
            "run",
            "Run this cycle",
            ("billing.add_activity",),
            run_cycle,
            RunForm,
            icon="play_arrow",
            primary=True,
            offered=lambda cycle: cycle.retired_at is None,
            explain=lambda cycle: (
                f"Bills every account of {cycle} for one period, on its queue {cycle.queue}. Accounts that are "
                "billed already are left out, so running it again is safe."
            ),
        ),
    )

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        created = create_cycle(
            obj.number,
            obj.tenant_id,
            name=obj.name,
            day=obj.day,
            time_zone=obj.time_zone,
            currency=obj.currency,
            payment_term_days=obj.payment_term_days,
        )
        obj.pk = created.pk
        obj._state.adding = False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        # Accounts, bills and the queue's worker go by these.
        fixed = ("number", "tenant", "currency") if obj is not None else ()
        return ("queue_label", "state_label", *fixed)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request).annotate(accounts_count=Count("accounts"))
        return rows

    @display(description="Accounts", ordering="accounts_count")
    def accounts_label(self, cycle: Any) -> str:
        return grouped(cycle.accounts_count)

    @display(description="Queue")
    def queue_label(self, cycle: BillCycle) -> str:
        return cycle.queue if cycle.number is not None else "–"

    @display(description="State")
    def state_label(self, cycle: BillCycle) -> SafeString | str:
        if cycle.retired_at is None:
            return badge("In use", "success")
        return badge(f"Retired {cycle.retired_at:%Y-%m-%d}")
