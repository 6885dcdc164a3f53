"""Sources of usage files."""

from __future__ import annotations

from django.contrib import admin

from apps.backoffice.admins import HistoryAdmin, KeptMixin, ReadOnlyAdmin
from apps.mediation.models import RatedDestination, Source


@admin.register(Source)
class SourceAdmin(KeptMixin, HistoryAdmin):
    list_display = ("code", "name", "format", "file_pattern")
    search_fields = ("code", "name")
    ordering = ("code",)
    fields = (("code", "name"), ("format", "file_pattern"), "options")


@admin.register(RatedDestination)
class RatedDestinationAdmin(ReadOnlyAdmin):
    """Not in the navigation: here so that filters by destination can be typed."""

    list_display = ("tag",)
    search_fields = ("tag__startswith",)
    ordering = ("tag",)
    fields = ("tag",)

    def has_module_permission(self, request) -> bool:
        return False
