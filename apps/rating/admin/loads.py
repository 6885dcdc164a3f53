"""Loads of tariff folders: who loaded what, when, and its odd rows."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.contrib.filters.admin import AllValuesCheckboxFilter
from unfold.decorators import display

from apps.backoffice.actions import PageAction
from apps.backoffice.admins import ReadOnlyAdmin
from apps.backoffice.display import grouped, instant, link_to
from apps.backoffice.filters import DaysFilter
from apps.backoffice.forms import ActionForm
from apps.backoffice.panels import Panel, Table, add_panel, page_of
from apps.kernel.clock import utc_now
from apps.rating.admin.versions import told_of
from apps.rating.models import TariffLoad
from apps.rating.services.drafts import go_back, version_before
from apps.rating.services.tariff_loading import Changes


def undo(request: HttpRequest, load: TariffLoad, form: ActionForm) -> HttpResponse:
    draft = go_back(version_before(load), utc_now(), plan_code=load.plan_code, by=request.user.get_username())
    return told_of(request, draft)


UNDO = PageAction(
    "undo",
    "Undo this load",
    ("rating.publish_tariffdraft",),
    undo,
    icon="undo",
    explain=lambda load: (
        f"Tariff plan {load.plan_code} becomes what it was before this load; later changes of it go too."
    ),
    offered=lambda load: load.is_new_version,
    danger=True,
)


@admin.register(TariffLoad)
class TariffLoadAdmin(ReadOnlyAdmin):
    when_empty = "Publish a draft, or use loadtariffplan."
    list_display = (
        "when",
        "who",
        "plan_code",
        "origin",
        "rows",
        "warnings_label",
        "version_label",
        "flushed",
    )
    list_filter = (
        ("loaded_at", DaysFilter),
        ("plan_code", AllValuesCheckboxFilter),
        ("loaded_by", AllValuesCheckboxFilter),
        "flushed",
        "is_new_version",
    )
    list_select_related = ("version",)
    search_fields = ("origin", "loaded_by", "plan_code")
    search_help_text = "Folder, person or tariff plan"
    ordering = ("-pk",)
    page_actions = (UNDO,)
    fields = ("when", "who", "plan_code", "origin", "rows", "warnings_label", "version_label", "flushed")

    def get_queryset(self, request: HttpRequest) -> QuerySet[TariffLoad]:
        rows: QuerySet[TariffLoad] = super().get_queryset(request)
        return rows.defer("version__snapshot")

    @display(description="Loaded", ordering="loaded_at")
    def when(self, load: TariffLoad) -> str:
        return instant(load.loaded_at, seconds=True)

    @display(description="By", ordering="loaded_by", empty_value="a process")
    def who(self, load: TariffLoad) -> str:
        return load.loaded_by

    @display(description="Rows")
    def rows(self, load: TariffLoad) -> str:
        return grouped(sum(load.files.values()))

    @display(description="Warnings", ordering="warning_count")
    def warnings_label(self, load: TariffLoad) -> str:
        return grouped(load.warning_count)

    @display(description="Tariff version", ordering="version")
    def version_label(self, load: TariffLoad) -> Any:
        return link_to(load.version)


def files(request: HttpRequest, load: TariffLoad) -> Table:
    changes = {name: load.changes.get(name, {}) for name in load.files}
    return Table(
        ("File", "Rows", "Ids new", "Ids replaced", "Ids removed"),
        [
            (
                f"{name}.csv",
                grouped(rows),
                *(grouped(changes[name].get(kind, 0)) for kind in Changes._fields),
            )
            for name, rows in load.files.items()
        ],
        right=(1, 2, 3, 4),
    )


def warnings(request: HttpRequest, load: TariffLoad) -> Table:
    rows, previous_url, next_url = page_of(request, "warnings", load.warnings)
    kept = len(load.warnings)
    return Table(
        ("Where", "What", "Kind"),
        rows,
        "Nothing was odd in this folder.",
        note=f"The first {grouped(kept)} of {grouped(load.warning_count)}."
        if kept < load.warning_count
        else "",
        previous_url=previous_url,
        next_url=next_url,
    )


add_panel("rating.tariffload", Panel("files", "Files", files, ("rating.view_tariffload",), 10))
add_panel("rating.tariffload", Panel("warnings", "Warnings", warnings, ("rating.view_tariffload",), 20))
