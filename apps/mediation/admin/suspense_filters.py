"""Filters of the suspense list."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import ModelAdmin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter

from apps.mediation.models import SuspendedRecord


class ReasonFilter(DropdownFilter):
    """The reasons that there are (read from their index)."""

    title = "reason"
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        reasons = SuspendedRecord.objects.order_by("reason").values_list("reason", flat=True).distinct()
        return [(reason, reason.replace("_", " ")) for reason in reasons]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[SuspendedRecord]
    ) -> QuerySet[SuspendedRecord]:
        return queryset.filter(reason=self.value()) if self.value() else queryset
