"""Rows of the folder's tables that the product does not act on yet."""

from __future__ import annotations

from django.contrib import admin
from unfold.contrib.filters.admin import AllValuesCheckboxFilter, RelatedDropdownFilter
from unfold.decorators import display

from apps.backoffice.admins import ReadOnlyAdmin
from apps.rating.models import KeptRow


@admin.register(KeptRow)
class KeptRowAdmin(ReadOnlyAdmin):
    when_empty = "Rows of files that the product does not act on yet are kept here, to be exported again."
    list_display = ("file", "cells_label", "tariff_plan")
    list_filter = (("file", AllValuesCheckboxFilter), ("tariff_plan", RelatedDropdownFilter))
    list_select_related = ("tariff_plan",)
    search_fields = ("file", "cells")
    search_help_text = "File, or what a cell holds"
    ordering = ("tariff_plan", "file", "pk")
    fields = ("file", "cells_label", "tariff_plan")

    @display(description="Cells")
    def cells_label(self, row: KeptRow) -> str:
        return " · ".join(cell for cell in row.cells if cell)
