"""Services, the things that are sold, as data."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from apps.rating.admin.reference import ReferenceAdmin, RetiredFilter, retire_actions
from apps.rating.models import Service


@admin.register(Service)
class ServiceAdmin(ReferenceAdmin):
    shared = True
    list_display = ("name", "code", "type_of_record", "category", "unit_label", "unit_size", "retired_label")
    list_filter = (RetiredFilter,)
    search_fields = ("code", "name")
    ordering = ("pk",)
    fields = (("code", "name"), ("type_of_record", "category"), ("unit_size", "unit_label"), "retired_label")
    readonly_fields = ("retired_label",)
    page_actions = retire_actions("rating.change_service")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("retired_label", "code", "type_of_record") if obj is not None else ("retired_label",)
