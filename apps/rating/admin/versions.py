"""Tariff versions: published snapshots, to look at."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.db.models.functions import Length
from django.http import HttpRequest
from unfold.decorators import display

from apps.backoffice.admins import ReadOnlyAdmin
from apps.backoffice.display import instant, octets
from apps.rating.admin.enquiries import ENQUIRY
from apps.rating.models import TariffVersion


@admin.register(TariffVersion)
class TariffVersionAdmin(ReadOnlyAdmin):
    list_display = ("number", "published", "size", "note")
    search_fields = ("=id", "note")
    ordering = ("-pk",)
    page_actions = (ENQUIRY,)
    fields = ("number", "published", "note", "size", "content_hash")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        # A snapshot may be megabytes: its length is enough here.
        rows: QuerySet[Any] = (
            super().get_queryset(request).defer("snapshot").annotate(octets=Length("snapshot"))
        )
        return rows

    @display(description="Version", ordering="pk")
    def number(self, version: TariffVersion) -> str:
        return f"Version {version.pk}"

    @display(description="Published", ordering="published_at")
    def published(self, version: TariffVersion) -> str:
        return instant(version.published_at, seconds=True)

    @display(description="Size (compressed)")
    def size(self, version: Any) -> str:
        return octets(version.octets or 0)
