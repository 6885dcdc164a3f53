"""The pools of numbers and devices."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from apps.backoffice.actions import PageAction
from apps.backoffice.admins import HistoryMixin, ReadOnlyAdmin
from apps.backoffice.display import badge, link_to
from apps.backoffice.forms import ActionForm
from apps.rating.models import Tenant
from apps.subscribers.models import Resource, Subscriber
from apps.subscribers.services import resources

MAX_RANGE = 100_000
COLOURS = {"free": "success", "assigned": "info", "quarantined": "warning"}


class PoolForm(ActionForm):
    tenant = forms.ModelChoiceField(Tenant.objects.all(), initial=lambda: Tenant.objects.first())
    kind = forms.ChoiceField(choices=Resource.Kind.choices)
    values = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 6}),
        label="Numbers",
        help_text=(
            "One a line, digits only; MSISDNs in international form without “+”. "
            f"A range is FIRST-LAST, of up to {MAX_RANGE:,} numbers."
        ),
    )

    def clean_values(self) -> list[str]:
        values: list[str] = []
        for number, line in enumerate(self.cleaned_data["values"].splitlines(), 1):
            text = line.strip().removeprefix("+")
            if not text:
                continue
            span = re.fullmatch(r"(\d+)\s*[-–]\s*(\d+)", text)
            if span is None:
                values.append(text)
                continue
            first, last = span.groups()
            count = int(last) - int(first) + 1
            if len(first) != len(last) or not 0 < count <= MAX_RANGE:
                raise forms.ValidationError(
                    f"Line {number}: “{text}” is not a range of at most {MAX_RANGE:,} numbers of the same length."
                )
            values.extend(str(value).zfill(len(first)) for value in range(int(first), int(last) + 1))
        if len(values) > MAX_RANGE:
            raise forms.ValidationError(f"Give at most {MAX_RANGE:,} numbers at once.")
        return values


def add_to_pool(request: HttpRequest, obj: None, form: PoolForm) -> str:
    data = form.cleaned_data
    new = resources.add_resources(data["tenant"].code, data["kind"], data["values"])
    known = len(set(data["values"])) - new
    return f"{new:,} added." + (f" {known:,} were there already." if known else "")


def free(request: HttpRequest, resource: Resource, form: ActionForm) -> str:
    return f"{resources.free_resource(resource.pk)} is free again."


@admin.register(Resource)
class ResourceAdmin(HistoryMixin, ReadOnlyAdmin):
    list_display = ("value", "kind", "status_label", "holder", "tenant")
    list_filter = (
        ("kind", ChoicesDropdownFilter),
        ("status", ChoicesDropdownFilter),
        ("tenant", RelatedDropdownFilter),
    )
    list_select_related = ("tenant",)
    search_fields = ("value__startswith",)
    search_help_text = "The first digits"
    ordering = ("-pk",)
    fields = ("kind", "value", "status_label", "holder", "tenant")
    page_actions = (
        PageAction(
            "add",
            "Add numbers or devices",
            ("subscribers.add_resource",),
            add_to_pool,
            PoolForm,
            icon="add",
            primary=True,
            on_list=True,
            submit="Add",
        ),
        PageAction(
            "free",
            "End quarantine",
            ("subscribers.change_resource",),
            free,
            icon="lock_open",
            offered=lambda resource: resource.status == Resource.Status.QUARANTINED,
            explain=lambda resource: (
                f"{resource} goes back into the pool and may be given to another subscriber."
            ),
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Resource]:
        held = Subscriber.objects.filter(resources__resource=OuterRef("pk"), resources__end__isnull=True)
        rows: QuerySet[Resource] = super().get_queryset(request)
        return rows.annotate(
            holder_id=Subquery(held.values("pk")[:1]), holder_number=Subquery(held.values("number")[:1])
        )

    @display(description="Status", ordering="status")
    def status_label(self, resource: Resource) -> str:
        return badge(resource.get_status_display(), COLOURS.get(resource.status, ""))

    @display(description="Subscriber")
    def holder(self, resource: Any) -> str:
        if resource.holder_id is None:
            return "–"
        return link_to(Subscriber(pk=resource.holder_id, number=resource.holder_number))
