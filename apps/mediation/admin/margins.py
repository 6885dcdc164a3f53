"""Margins by reseller: a page with filters, and the same as CSV or XLSX."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from apps.backoffice.actions import PageAction, add_action
from apps.backoffice.display import money, usage
from apps.backoffice.exports import Sheet, as_csv, as_workbook
from apps.backoffice.forms import ActionForm
from apps.backoffice.panels import Table
from apps.mediation.models import DerivedCharger, RunAccount
from apps.mediation.selectors.margins import (
    MARGIN_HEADERS,
    Margin,
    MarginQuery,
    margin_sheet,
    margins,
)
from apps.rating.domain.runs import DEFAULT_RUN
from apps.rating.models import Service

PAGE, CSV, XLSX = "page", "csv", "xlsx"
MOST_SHOWN = 1_000


class MarginForm(ActionForm):
    first = forms.DateField(
        label="From", initial=lambda: (timezone.localdate().replace(day=1) - timedelta(days=1)).replace(day=1)
    )
    last = forms.DateField(label="To", initial=timezone.localdate, help_text="The last day included.")
    reseller = forms.ModelChoiceField(
        RunAccount.objects.select_related("account").order_by("account__number"),
        required=False,
        empty_label="All",
    )
    run = forms.CharField(
        required=False, max_length=32, help_text="The run that the reseller pays; empty: all."
    )
    destination = forms.CharField(required=False, max_length=64, help_text="Its id; empty: all.")
    retail = forms.CharField(
        max_length=32,
        initial=DEFAULT_RUN,
        label="Revenue of run",
        help_text="In a chain of resellers, the run that the next one pays.",
    )
    show = forms.ChoiceField(
        choices=[(PAGE, "On this page"), (CSV, "As CSV"), (XLSX, "As XLSX")], label="Show"
    )


class MarginPage(NamedTuple):
    """What the result's template shows."""

    table: Table


def show(request: HttpRequest, obj: Any, form: MarginForm) -> MarginPage | HttpResponse:
    data = form.cleaned_data
    query = MarginQuery(
        data["first"],
        data["last"],
        data["reseller"].pk if data["reseller"] else None,
        data["run"],
        data["destination"],
        data["retail"],
    )
    found = margins(query, ZoneInfo(timezone.get_current_timezone_name()))
    if data["show"] != PAGE:
        return table_file(margin_sheet(found), data["show"], "margins")
    return MarginPage(_table(found))


def table_file(sheet: Sheet, kind: str, name: str) -> HttpResponse:
    """A table to download, as CSV or as a workbook of one sheet."""
    if kind == CSV:
        response = HttpResponse(as_csv(sheet), content_type="text/csv; charset=utf-8")
    else:
        response = HttpResponse(
            as_workbook({name[:31]: sheet}),
            content_type="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        )
    response["Content-Disposition"] = f'attachment; filename="{name}.{kind}"'
    return response


def _table(found: list[Margin]) -> Table:
    types = dict(Service.objects.values_list("code", "type_of_record"))
    rows = [
        (
            *(f"{one.month.year}-{one.month.month:02d}", one.run, one.tenant, one.account),
            *(one.service, one.destination, one.records, usage(one.usage, types[one.service])),
            money(one.revenue_micros, one.revenue_currency),
            money(one.cost_micros, one.cost_currency),
            money(one.margin_micros, one.revenue_currency),
        )
        for one in found[:MOST_SHOWN]
    ]
    return Table(
        MARGIN_HEADERS[:-1],
        rows,
        "No run was charged to a reseller in this time.",
        right=(6, 7, 8, 9, 10),
        note=f"The first {MOST_SHOWN} of {len(found)} rows." if len(found) > MOST_SHOWN else "",
    )


add_action(
    DerivedCharger._meta.label_lower,
    PageAction(
        "margins",
        "Margins by reseller",
        ("mediation.view_cdr", "mediation.view_derivedcharger"),
        show,
        MarginForm,
        icon="finance_mode",
        primary=True,
        on_list=True,
        submit="Show",
        result_template="admin/mediation/margins.html",
        explain=lambda _: (
            "What the records of a run brought in another run, less what their reseller is charged."
        ),
    ),
)
