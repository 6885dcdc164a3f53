"""Tariff versions: published snapshots, to look at and to download as files."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.db.models.functions import Length
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from unfold.contrib.filters.admin import AllValuesCheckboxFilter
from unfold.decorators import display

from apps.backoffice.actions import PageAction
from apps.backoffice.admins import ReadOnlyAdmin
from apps.backoffice.display import change_url, grouped, instant, octets
from apps.backoffice.filters import DaysFilter
from apps.backoffice.forms import ActionForm
from apps.backoffice.panels import Panel, Table, add_panel
from apps.kernel.clock import utc_now
from apps.kernel.errors import BssError
from apps.rating.admin.differences import EXPORT_DIFFERENCE
from apps.rating.admin.enquiries import ENQUIRY
from apps.rating.domain.history_files import FileDifference
from apps.rating.domain.source import SHARED_TARIFF_PLAN
from apps.rating.domain.tariff_files import packed, write_tariff_files
from apps.rating.models import TariffDraft, TariffPlan, TariffVersion
from apps.rating.selectors.history import commits_by_version, history_state, version_differences
from apps.rating.selectors.tariffs import published_plan, read_as_of, version_as_of, version_before
from apps.rating.services.drafts import go_back

_ROWS_SHOWN = 500


def _plan_choices() -> list[tuple[str, str]]:
    codes = TariffPlan.objects.values_list("code", flat=True)
    return [(code, "Shared" if code == SHARED_TARIFF_PLAN else f"Own plan of {code}") for code in codes]


class PlanForm(ActionForm):
    plan = forms.ChoiceField(choices=_plan_choices, label="Tariff plan")


def download(request: HttpRequest, version: TariffVersion, form: PlanForm) -> HttpResponse:
    code = form.cleaned_data["plan"]
    files, _ = write_tariff_files(published_plan(code, version.pk))
    response = HttpResponse(packed(files), content_type="application/zip")
    name = f"tariff-{version.pk}-{code.removeprefix('*')}.zip"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


class CompareForm(ActionForm):
    other = forms.CharField(
        max_length=40,
        label="With",
        help_text="Another version such as 17, a time such as 2026-11-01T00:00:00Z, or a commit of the history.",
    )

    def clean_other(self) -> int:
        try:
            return version_as_of(read_as_of(self.cleaned_data["other"].strip()))
        except BssError as error:
            raise forms.ValidationError(error.message) from error


def compare(request: HttpRequest, version: TariffVersion, form: CompareForm) -> Table:
    before, after = sorted((form.cleaned_data["other"], version.pk))
    found = version_differences(before, after)
    return _difference_table(found, f"From version {before} to version {after}: {_sums(found)}.")


def changes(request: HttpRequest, version: TariffVersion) -> Table:
    before = version_before(version.pk)
    found = version_differences(before, version.pk)
    since = "The first version" if before is None else f"Against version {before}"
    return _difference_table(found, f"{since}: {_sums(found)}.")


def _sums(found: list[FileDifference]) -> str:
    added, removed = (sum(len(change[place]) for change in found) for place in (2, 1))
    return f"{grouped(added)} rows added, {grouped(removed)} removed"


def _difference_table(found: list[FileDifference], note: str) -> Table:
    rows = [
        (change.path.removesuffix(".json"), sign, row)
        for change in found
        for sign, lines in (("−", change.removed), ("+", change.added))
        for row in lines
    ]
    shown = rows[:_ROWS_SHOWN]
    if len(rows) > len(shown):
        note += f" The first {grouped(len(shown))} are shown; “manage.py tarifflog diff” writes all."
    return Table(("Table", "", "Row"), shown, "They are the same.", note=note)


COMPARE = PageAction(
    "compare",
    "Compare",
    ("rating.view_tariffversion",),
    compare,
    CompareForm,
    icon="difference",
    result_template="admin/rating/difference.html",
    explain=lambda version: f"What differs between {version} and another.",
)

DOWNLOAD = PageAction(
    "download",
    "Download files",
    ("rating.view_tariffversion",),
    download,
    PlanForm,
    icon="download",
    explain=lambda _: "A zip archive of the CSV files from which loadtariffplan makes the same tariff.",
)


def back(request: HttpRequest, version: TariffVersion, form: PlanForm) -> HttpResponse:
    draft = go_back(
        version.pk, utc_now(), plan_code=form.cleaned_data["plan"], by=request.user.get_username()
    )
    return told_of(request, draft)


def told_of(request: HttpRequest, draft: TariffDraft) -> HttpResponse:
    """The page of a draft on the way back to an earlier tariff, with what came of it."""
    if draft.load is None:
        messages.warning(request, f"{draft} is made; another person has to publish it.")
    else:
        messages.success(request, f"Tariff version {draft.load.version_id} is in force.")
    return HttpResponseRedirect(change_url(draft))


GO_BACK = PageAction(
    "back",
    "Go back to this version",
    ("rating.publish_tariffdraft",),
    back,
    PlanForm,
    icon="undo",
    explain=lambda version: (
        f"The tariff plan becomes what it was in version {version.pk}; what has been added to it "
        "since goes. Price plans and tenants stay as they are."
    ),
    danger=True,
)


@admin.register(TariffVersion)
class TariffVersionAdmin(ReadOnlyAdmin):
    list_display = ("number", "published", "who", "note", "size")
    list_filter = (("published_at", DaysFilter), ("published_by", AllValuesCheckboxFilter))
    search_fields = ("=id", "note", "published_by")
    search_help_text = "Number, note or person"
    ordering = ("-pk",)
    page_actions = (ENQUIRY, COMPARE, EXPORT_DIFFERENCE, DOWNLOAD, GO_BACK)
    fields = ("number", "published", "who", "note", "size", "content_hash", "commit")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        state = history_state()
        if not state.in_step:
            messages.warning(request, state.text)
        return super().changelist_view(request, extra_context)

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

    @display(description="By", ordering="published_by", empty_value="a process")
    def who(self, version: TariffVersion) -> str:
        return version.published_by

    @display(description="Commit in the history")
    def commit(self, version: TariffVersion) -> str:
        commit = commits_by_version().get(version.pk)
        return commit.id if commit else f"None. {history_state().text}"

    @display(description="Size (compressed)")
    def size(self, version: Any) -> str:
        return octets(version.octets or 0)


add_panel("rating.tariffversion", Panel("changes", "Changes", changes, ("rating.view_tariffversion",), 10))
