"""What a draft would change, and what a tariff version changed: panels on their pages, and files to take along."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse

from apps.backoffice.actions import PageAction
from apps.backoffice.display import NOTHING, badge, grouped, instant
from apps.backoffice.exports import Sheet, as_csv, as_workbook
from apps.backoffice.forms import ActionForm
from apps.backoffice.panels import Panel, Table, add_panel, page_of
from apps.kernel.errors import BssError, InvalidInput
from apps.kernel.money import format_micros
from apps.kernel.units import parse_usage_units
from apps.rating.domain.differences import Difference, Kind, PriceChange
from apps.rating.domain.differences.tables import (
    PRICE_HEADERS,
    TERM_HEADERS,
    Units,
    percent,
    price_rows,
    term_rows,
    usage_label,
)
from apps.rating.models import TariffDraft, TariffVersion
from apps.rating.selectors.differences import draft_difference, units_of_sale, version_difference
from apps.rating.selectors.tariffs import version_before

_COLOURS = {
    Kind.RISE: "danger",
    Kind.FALL: "success",
    Kind.NEW: "info",
    Kind.GONE: "warning",
    Kind.OTHER: "primary",
}
_MOST_PREFIXES = 6
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def difference_of(row: TariffDraft | TariffVersion, amount: int | None = None) -> Difference:
    if isinstance(row, TariffDraft):
        return draft_difference(row.pk, amount)
    return version_difference(row.pk, version_before(row.pk), amount)


def prices(request: HttpRequest, row: TariffDraft | TariffVersion) -> Table:
    headers = (
        "",
        "Destination",
        "Prefixes",
        "Timing",
        "Price of",
        "Old",
        "New",
        "%",
        "What differs",
        "For",
        "From",
    )
    try:
        found = difference_of(row)
    except BssError as error:
        return Table(headers, [], _none(row, error))
    units = units_of_sale()
    rows, previous_url, next_url = page_of(request, "difference", found.prices)
    counts = ", ".join(f"{grouped(count)} {kind.value}" for kind, count in found.counts.items() if count)
    return Table(
        headers,
        [_price(change, units) for change in rows],
        "No price differs.",
        right=(5, 6, 7),
        note=f"Prefixes: {counts}. Prices are worked, the connect fee included." if counts else "",
        previous_url=previous_url,
        next_url=next_url,
    )


def _none(row: TariffDraft | TariffVersion, error: BssError) -> str:
    if isinstance(row, TariffDraft) and row.error_count:
        return "The draft has errors, so it has no prices; “Check” lists them."
    return f"There is no difference to show: {error}"


def _price(change: PriceChange, units: Units) -> tuple[Any, ...]:
    by = percent(change.millionths)
    return (
        badge(change.kind.value, _COLOURS[change.kind]),
        change.destination,
        _some(change.prefixes),
        "any time" if change.timing == "*any" else change.timing,
        usage_label(change, units),
        _amount(change.old_micros),
        _amount(change.new_micros),
        f"{by:+}" if by is not None else "",
        change.what,
        _some(change.subjects, 2),
        instant(datetime.fromtimestamp(change.since, UTC)) if change.since else "",
    )


def _some(names: tuple[str, ...], most: int = _MOST_PREFIXES) -> str:
    more = f" and {grouped(len(names) - most)} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _amount(micros: int | None) -> str:
    return NOTHING if micros is None else format_micros(micros)


def terms(request: HttpRequest, row: TariffDraft | TariffVersion) -> Table:
    try:
        found = list(term_rows(difference_of(row)))
    except BssError as error:
        return Table(TERM_HEADERS, [], _none(row, error))
    rows, previous_url, next_url = page_of(request, "terms", found)
    return Table(
        TERM_HEADERS,
        [(of, name, old or NOTHING, new or NOTHING) for of, name, old, new in rows],
        "No profile, timing or product differs.",
        previous_url=previous_url,
        next_url=next_url,
    )


class ExportForm(ActionForm):
    form = forms.ChoiceField(choices=[("xlsx", "Workbook (XLSX)"), ("csv", "CSV")], label="As")
    only = forms.ChoiceField(
        choices=[("", "All changes"), *((kind.value, kind.value) for kind in Kind)], required=False
    )
    usage = forms.CharField(
        required=False, max_length=20, help_text="Work prices for 90, 3m, 1024 …; empty: for a unit of sale."
    )

    def clean_usage(self) -> int | None:
        text = self.cleaned_data["usage"]
        try:
            return parse_usage_units(text) if text else None
        except InvalidInput as error:
            raise forms.ValidationError(error.message) from error


def export(request: HttpRequest, row: TariffDraft | TariffVersion, form: ExportForm) -> HttpResponse:
    found, only = difference_of(row, form.cleaned_data["usage"]), form.cleaned_data["only"]
    changes = [change for change in found.prices if not only or change.kind.value == only]
    sheet = Sheet(PRICE_HEADERS, price_rows(changes, units_of_sale()))
    if form.cleaned_data["form"] == "csv":
        response = HttpResponse(as_csv(sheet), content_type="text/csv")
    else:
        content = as_workbook({"Prices": sheet, "Terms": Sheet(TERM_HEADERS, term_rows(found))})
        response = HttpResponse(content, content_type=_XLSX)
    name = f"difference-{'draft' if isinstance(row, TariffDraft) else 'version'}-{row.pk}"
    response["Content-Disposition"] = f'attachment; filename="{name}.{form.cleaned_data["form"]}"'
    return response


EXPORT_DIFFERENCE = PageAction(
    "difference",
    "Export difference",
    (),
    export,
    ExportForm,
    icon="difference",
    explain=lambda row: (
        "Every change of a price: of a draft against what is live, of a version against the one before."
    ),
    result_template="admin/backoffice/table.html",
)

for _label, _order in (("tariffdraft", 10), ("tariffversion", 20)):
    _view = (f"rating.view_{_label}",)
    add_panel(f"rating.{_label}", Panel("difference", "Prices that differ", prices, _view, _order))
    add_panel(f"rating.{_label}", Panel("terms", "Profiles, timings, products", terms, _view, _order + 1))
