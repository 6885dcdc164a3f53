"""Derived chargers: for whom records are charged besides their subscribers."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from apps.backoffice.admins import HistoryAdmin
from apps.kernel.errors import InvalidInput
from apps.mediation.domain.derived import COLUMNS, KEPT, read_run
from apps.mediation.models import DerivedCharger
from apps.mediation.services.derived_settings import charger_row, save_charger
from apps.rating.selectors.tariffs import look_again

_PLACES = {"RunId": "run", "RunFilter": "run_filter"}


class DerivedChargerForm(forms.ModelForm):  # type: ignore[type-arg]  # Generic for type checkers alone.
    def clean(self) -> dict[str, Any]:
        found = super().clean() or self.cleaned_data
        if not self.errors:
            try:
                read_run(charger_row(DerivedCharger(**found)))
            except InvalidInput as error:
                self.add_error(_PLACES.get(error.where, "templates"), str(error))
        return found


@admin.register(DerivedCharger)
class DerivedChargerAdmin(HistoryAdmin):
    form = DerivedChargerForm
    when_empty = "Add one here, or load a tariff folder with DerivedChargers.csv: what a reseller pays for each record."
    list_display = (
        "run",
        "tenant",
        "category",
        "account",
        "subject",
        "destination_ids",
        "replaces",
        "run_filter",
    )
    list_filter = ("run", "tenant", "tariff_plan")
    search_fields = ("run", "account", "subject")
    search_help_text = "Run, account or subject"
    ordering = ("pk",)
    fieldsets = (
        (
            "For which records",
            {
                "fields": (("tenant", "category"), ("account", "subject"), ("destination_ids", "direction")),
                "description": "The row with the fewest *any decides; rows of the same key are runs beside each other.",
            },
        ),
        (
            "The run",
            {
                "fields": (("run", "tariff_plan"), "run_filter", "templates"),
                "description": f"Columns: {', '.join(COLUMNS)}. Kept only: {', '.join(KEPT)}.",
            },
        ),
    )

    @display(description="Replaces")
    def replaces(self, charger: DerivedCharger) -> str:
        return ", ".join(f"{column} {template}" for column, template in charger.templates.items())

    def save_model(self, request: HttpRequest, obj: DerivedCharger, form: Any, change: bool) -> None:
        save_charger(obj)

    def delete_model(self, request: HttpRequest, obj: DerivedCharger) -> None:
        super().delete_model(request, obj)
        look_again()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[DerivedCharger]) -> None:
        super().delete_queryset(request, queryset)
        look_again()
