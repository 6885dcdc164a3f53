"""Destinations: named sets of number prefixes, of which there may be 170,000."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display

from apps.backoffice.actions import PageAction
from apps.backoffice.display import grouped, link_to
from apps.backoffice.forms import ActionForm
from apps.backoffice.panels import Panel, Table, add_panel, page_of
from apps.rating.admin.reference import TariffAdmin, publish_and_tell
from apps.rating.models import Destination, DestinationPrefix, DestinationRateEntry
from apps.rating.services.prefixes import add_prefixes, remove_prefixes

CHANGE = ("rating.change_destination",)
MOST_PREFIXES = 50_000
COLUMNS = 8


class PrefixesForm(ActionForm):
    prefixes = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 8}),
        help_text="Digits with country code and without “+”, one a line or split by spaces, commas or semicolons.",
    )

    def clean_prefixes(self) -> list[str]:
        prefixes = [
            part.removeprefix("+") for part in re.split(r"[\s,;]+", self.cleaned_data["prefixes"]) if part
        ]
        if len(prefixes) > MOST_PREFIXES:
            raise forms.ValidationError(
                f"Give at most {MOST_PREFIXES:,} at once; loadtariffplan takes more from a file."
            )
        return prefixes


def add(request: HttpRequest, destination: Destination, form: PrefixesForm) -> str:
    new = add_prefixes(destination.pk, form.cleaned_data["prefixes"])
    publish_and_tell(request, f"prefixes of {destination}")
    return f"{grouped(new)} added to {destination}."


def remove(request: HttpRequest, destination: Destination, form: PrefixesForm) -> str:
    removed = remove_prefixes(destination.pk, form.cleaned_data["prefixes"])
    publish_and_tell(request, f"prefixes of {destination}")
    return f"{grouped(removed)} removed from {destination}."


@admin.register(Destination)
class DestinationAdmin(TariffAdmin):
    shared = True
    list_display = ("code", "prefixes_label", "tariff_plan")
    list_filter = (("tariff_plan", RelatedDropdownFilter),)
    list_select_related = ("tariff_plan",)
    search_fields = ("code",)
    search_help_text = "A name, or a number to find the destinations that it may belong to"
    ordering = ("code",)
    page_actions = (
        PageAction("remove", "Remove prefixes", CHANGE, remove, PrefixesForm, icon="remove", submit="Remove"),
        PageAction("add", "Add prefixes", CHANGE, add, PrefixesForm, icon="add", primary=True, submit="Add"),
    )

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return (("code", "tariff_plan"), "prefixes_label") if obj is not None else ("code", "tariff_plan")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("prefixes_label", "tariff_plan") if obj is not None else ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request).annotate(prefixes_count=Count("prefixes"))
        return rows

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Digits are looked up among the prefixes, by index: those they begin with, and those that begin so."""
        term = search_term.strip().removeprefix("+")
        if not term:
            return queryset, False
        found = Q(code__icontains=term)
        if term.isdigit():
            beginnings = [term[:length] for length in range(1, min(len(term), 32) + 1)]
            owners = DestinationPrefix.objects.filter(Q(prefix__in=beginnings) | Q(prefix__startswith=term))
            found |= Q(pk__in=owners.values("destination"))
        return queryset.filter(found), False

    @display(description="Prefixes", ordering="prefixes_count")
    def prefixes_label(self, destination: Any) -> str:
        return grouped(destination.prefixes_count)


def prefixes(request: HttpRequest, destination: Destination) -> Table:
    rows = destination.prefixes.order_by("prefix").values_list("prefix", flat=True)
    found, previous_url, next_url = page_of(request, "prefixes", rows, COLUMNS * 50)
    lines = [found[start : start + COLUMNS] for start in range(0, len(found), COLUMNS)]
    return Table(
        ("Prefixes", *[""] * (COLUMNS - 1)) if found else (),
        [[*line, *[""] * (COLUMNS - len(line))] for line in lines],
        "No prefix yet: nothing is rated to this destination.",
        previous_url=previous_url,
        next_url=next_url,
    )


def rates(request: HttpRequest, destination: Destination) -> Table:
    entries = DestinationRateEntry.objects.filter(destination=destination).select_related(
        "destination_rate", "rate"
    )
    rows, previous_url, next_url = page_of(request, "rates", entries.order_by("pk"))
    return Table(
        ("Destination rate", "Rate", "Rounding"),
        [
            (
                link_to(row.destination_rate),
                link_to(row.rate),
                f"{row.rounding_method} to {row.rounding_decimals} decimals"
                if row.rounding_decimals
                else "exact",
            )
            for row in rows
        ],
        "No destination rate uses it.",
        previous_url=previous_url,
        next_url=next_url,
    )


add_panel("rating.destination", Panel("prefixes", "Prefixes", prefixes, ("rating.view_destination",), 10))
add_panel("rating.destination", Panel("rates", "Rates", rates, ("rating.view_destinationrate",), 20))
