"""Suppliers: the columns of their rate decks; decks previewed and made into drafts."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from unfold.contrib.filters.admin import RelatedDropdownFilter

from apps.backoffice import tenancy
from apps.backoffice.actions import PageAction
from apps.backoffice.admins import HistoryAdmin
from apps.backoffice.display import grouped
from apps.backoffice.forms import ActionForm
from apps.backoffice.panels import Table
from apps.kernel.clock import utc_now
from apps.kernel.errors import Problem
from apps.rating.admin.drafts import checked
from apps.rating.domain.rate_decks import MAX_DECK_BYTES, DeckRow
from apps.rating.models import Supplier
from apps.rating.services.rate_decks import load_rate_deck, preview_deck

_PROBLEMS_SHOWN = 200


class DeckForm(ActionForm):
    deck = forms.FileField(label="Deck", help_text="CSV or a workbook (XLSX).")

    def clean_deck(self) -> Any:
        deck = self.cleaned_data["deck"]
        if deck.size > MAX_DECK_BYTES:
            raise forms.ValidationError(
                f"The deck has {deck.size:,} octets; at most {MAX_DECK_BYTES:,} are taken."
            )
        return deck


class LoadForm(DeckForm):
    valid_from = forms.DateField(required=False, help_text="The day of rows that state none; empty: today.")
    received = forms.DateField(
        required=False, label="Announced", help_text="From this day notice of increases counts; empty: today."
    )
    whole = forms.BooleanField(
        required=False,
        label="The deck is complete",
        help_text="Destinations that it lacks have no price from “valid from” on.",
    )


def preview(request: HttpRequest, supplier: Supplier, form: DeckForm) -> Table:
    deck = form.cleaned_data["deck"]
    found = preview_deck(supplier, deck.read(), deck.name)
    if found.problems:
        return _problems(found.problems, found.read)
    return Table(
        ("Row", "Destination", "Prefixes", "Price", "Increments", "Connect fee", "Effective", "Status"),
        [_previewed(row) for row in found.rows],
        right=(0, 3, 5),
        note=f"The first {len(found.rows)} of {grouped(found.read)} rows, as they are read. Nothing is stored.",
    )


def _previewed(row: DeckRow) -> tuple[Any, ...]:
    return (
        row.number,
        row.destination,
        ", ".join(row.prefixes[:8]) + (f" and {len(row.prefixes) - 8} more" if len(row.prefixes) > 8 else ""),
        row.price,
        f"{row.first}/{row.following}",
        row.connect_fee,
        row.effective or "as loaded",
        row.status or "",
    )


def _problems(problems: list[Problem], rows: int) -> Table:
    return Table(
        ("Where", "What"),
        [(problem.where, problem.message) for problem in problems[:_PROBLEMS_SHOWN]],
        note=f"{grouped(len(problems))} errors; {grouped(rows)} rows are read without one.",
    )


def load(request: HttpRequest, supplier: Supplier, form: LoadForm) -> HttpResponse:
    if tenancy.tenants_of(request) is not None:
        # Drafts are the operator's: they change prices that tenants share.
        raise PermissionDenied
    deck = form.cleaned_data["deck"]
    draft = load_rate_deck(
        supplier,
        deck.read(),
        utc_now(),
        name=deck.name,
        valid_from=form.cleaned_data["valid_from"],
        received=form.cleaned_data["received"],
        whole=form.cleaned_data["whole"],
        by=request.user.get_username(),
    )
    return checked(request, draft)


@admin.register(Supplier)
class SupplierAdmin(HistoryAdmin):
    when_empty = "Add one with the columns of its rate decks; then its page loads a deck as a draft."
    list_display = ("code", "name", "tenant", "category", "subject", "currency", "notice_days")
    list_filter = (("tenant", RelatedDropdownFilter),)
    list_select_related = ("tenant",)
    search_fields = ("code", "name", "subject")
    ordering = ("code",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("code", "name"),
                    ("tenant", "currency"),
                    ("category", "subject"),
                    ("notice_days",),
                )
            },
        ),
        (
            "Columns of its decks",
            {
                "description": "Each by its heading, or by its letter (A, B, …); empty: its decks have none.",
                "fields": (
                    ("destination", "prefix"),
                    ("country_code", "price"),
                    ("increment", "connect_fee"),
                    ("effective", "status"),
                    ("currency_column",),
                ),
            },
        ),
        (
            "How it writes",
            {
                "fields": (
                    ("header_row", "sheet"),
                    ("delimiter", "decimal_comma"),
                    ("date_format", "price_unit"),
                    ("increments",),
                )
            },
        ),
    )
    page_actions = (
        PageAction(
            "deck",
            "Load a rate deck",
            ("rating.add_tariffdraft",),
            load,
            LoadForm,
            icon="upload_file",
            explain=lambda supplier: (
                f"{supplier}'s prices become a draft, which shows what changes by destination before it is published."
            ),
            primary=True,
        ),
        PageAction(
            "preview",
            "Preview a deck",
            ("rating.view_supplier",),
            preview,
            DeckForm,
            icon="preview",
            explain=lambda _: (
                "The first ten rows as they are read by these columns, or all that cannot be read."
            ),
            result_template="admin/rating/difference.html",
        ),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        # The ids of its rates begin with its code.
        return ("code",) if obj is not None else ()
