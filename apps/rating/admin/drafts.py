"""Tariff drafts: uploaded, looked at, and then published, scheduled or discarded."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html
from unfold.contrib.filters.admin import AllValuesCheckboxFilter, ChoicesCheckboxFilter
from unfold.decorators import display

from apps.backoffice.actions import PageAction
from apps.backoffice.admins import ReadOnlyAdmin
from apps.backoffice.display import NOTHING, badge, change_url, grouped, instant, link_to
from apps.backoffice.filters import DaysFilter
from apps.backoffice.forms import ActionForm, InstantField
from apps.backoffice.panels import Panel, Table, add_panel, page_of
from apps.kernel.clock import utc_now
from apps.rating.admin.differences import EXPORT_DIFFERENCE
from apps.rating.domain.source import SHARED_TARIFF_PLAN
from apps.rating.domain.tariff_files import MAX_ARCHIVE_BYTES, unpacked
from apps.rating.models import TariffDraft, Tenant
from apps.rating.selectors.drafts import changed_meanwhile
from apps.rating.services import drafts

_COLOURS = {"open": "info", "scheduled": "warning", "held": "danger", "published": "success", "discarded": ""}


def undecided(draft: TariffDraft) -> bool:
    return draft.state in drafts.UNDECIDED


def ready(draft: TariffDraft) -> bool:
    return undecided(draft) and not draft.error_count


class UploadForm(ActionForm):
    archive = forms.FileField(label="Archive (zip)", help_text="The folder's CSV files, packed.")
    tenant = forms.ModelChoiceField(
        Tenant.objects.all(), required=False, help_text="Whose own the folder is; empty: shared by all."
    )
    flush = forms.BooleanField(
        required=False,
        label="In place of everything",
        help_text="What the folder lacks goes, instead of staying.",
    )
    note = forms.CharField(required=False, max_length=200, help_text="Why, for the history.")

    def clean_archive(self) -> Any:
        archive = self.cleaned_data["archive"]
        if archive.size > MAX_ARCHIVE_BYTES:
            raise forms.ValidationError(
                f"The archive has {archive.size:,} octets; at most {MAX_ARCHIVE_BYTES:,} are taken."
            )
        return archive


def counted(number: int, what: str) -> str:
    return f"{grouped(number)} {what}{'s' if number != 1 else ''}"


def upload(request: HttpRequest, _: None, form: UploadForm) -> HttpResponse:
    archive, tenant = form.cleaned_data["archive"], form.cleaned_data["tenant"]
    tables, unknown = drafts.tables_of(unpacked(archive.read()))
    draft = drafts.make_draft(
        tables,
        utc_now(),
        plan_code=tenant.code if tenant is not None else SHARED_TARIFF_PLAN,
        flush=form.cleaned_data["flush"],
        by=request.user.get_username(),
        origin=archive.name,
        note=form.cleaned_data["note"],
        unknown=unknown,
    )
    return checked(request, draft)


def checked(request: HttpRequest, draft: TariffDraft) -> HttpResponse:
    """A draft's page after a check: with what is wrong, or else with what the draft would change."""
    if draft.error_count:
        messages.error(
            request,
            f"{counted(draft.error_count, 'error')} below; the draft cannot go live. Correct the files and upload them "
            "again.",
        )
    else:
        messages.success(
            request,
            f"The draft is in order ({counted(draft.warning_count, 'warning')}). Nothing is live yet.",
        )
    panel = "check" if draft.error_count else "difference"
    return HttpResponseRedirect(f"{change_url(draft)}?panel={panel}")


class PublishForm(ActionForm):
    accept_changes = forms.BooleanField(
        required=False, label="Write over what has changed since the draft was checked"
    )

    def prepare(self) -> None:
        if not changed_meanwhile(self.obj).clashing:
            del self.fields["accept_changes"]


def explain_publication(draft: TariffDraft) -> str:
    meanwhile = changed_meanwhile(draft)
    parts = ["Every process prices by it within a minute."]
    if meanwhile.changed:
        parts.append(f"Since the draft was checked, these have changed: {drafts.listed(meanwhile.changed)}.")
    if meanwhile.clashing:
        parts.append(f"The draft would write over {drafts.listed(meanwhile.clashing)}.")
    return " ".join(parts)


def publish(request: HttpRequest, draft: TariffDraft, form: PublishForm) -> str:
    loaded = drafts.publish_draft(
        draft.pk,
        utc_now(),
        request.user.get_username(),
        accept_changes=form.cleaned_data.get("accept_changes", False),
    )
    what = "is in force" if loaded.is_new else "was in force already: nothing has changed"
    return f"Tariff version {loaded.version_id} {what}."


class ScheduleForm(ActionForm):
    at = InstantField(label="Goes live")


def schedule(request: HttpRequest, draft: TariffDraft, form: ScheduleForm) -> str:
    at = form.cleaned_data["at"]
    drafts.schedule_draft(draft.pk, at, utc_now(), request.user.get_username())
    return f"The draft goes live at {at:%Y-%m-%d %H:%M} UTC."


def check(request: HttpRequest, draft: TariffDraft, form: ActionForm) -> HttpResponse:
    return checked(request, drafts.check_draft(draft.pk, utc_now()))


def discard(request: HttpRequest, draft: TariffDraft, form: ActionForm) -> str:
    drafts.discard_draft(draft.pk, utc_now(), request.user.get_username())
    return f"{draft} is discarded."


def download(request: HttpRequest, draft: TariffDraft, form: ActionForm) -> HttpResponse:
    response = HttpResponse(bytes(draft.archive), content_type="application/zip")
    response["Content-Disposition"] = f'attachment; filename="draft-{draft.pk}.zip"'
    return response


MAY_PUBLISH = ("rating.publish_tariffdraft",)
MAY_CHANGE = ("rating.change_tariffdraft",)


@admin.register(TariffDraft)
class TariffDraftAdmin(ReadOnlyAdmin):
    when_empty = "Upload a folder of CSV files; no price changes until its draft is published."
    list_display = ("number", "state_label", "plan_code", "origin", "note", "made", "who", "found", "due")
    list_filter = (
        ("state", ChoicesCheckboxFilter),
        ("made_at", DaysFilter),
        ("plan_code", AllValuesCheckboxFilter),
        ("made_by", AllValuesCheckboxFilter),
    )
    search_fields = ("=id", "origin", "note", "made_by")
    search_help_text = "Number, archive, note or person"
    ordering = ("-pk",)
    fields = (
        ("state_label", "due"),
        ("plan_code", "way"),
        ("origin", "note"),
        ("made", "who"),
        ("found", "based_on"),
        ("decided", "load_label"),
    )
    page_actions = (
        PageAction(
            "upload",
            "Upload a folder",
            ("rating.add_tariffdraft",),
            upload,
            UploadForm,
            icon="upload_file",
            explain=lambda _: "The folder becomes a draft: it is checked and kept, and changes no price until it is "
            "published.",
            primary=True,
            on_list=True,
        ),
        PageAction(
            "publish", "Publish", MAY_PUBLISH, publish, PublishForm, icon="publish",
            explain=explain_publication, offered=ready, primary=True,
        ),
        PageAction(
            "schedule", "Schedule", MAY_PUBLISH, schedule, ScheduleForm, icon="schedule",
            explain=lambda _: "It goes live at this time by itself, unless what it would write over has changed by "
            "then.",
            offered=ready,
        ),
        PageAction(
            "check", "Check again", MAY_CHANGE, check, icon="fact_check", menu="More",
            explain=lambda _: "Against what is live now.", offered=undecided,
        ),
        PageAction(
            "download", "Download files", ("rating.view_tariffdraft",), download, icon="download", menu="More",
            explain=lambda _: "A zip archive of the draft's CSV files.",
        ),
        replace(EXPORT_DIFFERENCE, menu="More"),
        PageAction(
            "discard", "Discard", MAY_CHANGE, discard, icon="delete",
            explain=lambda _: "It stays on record, and can go live no more.", offered=undecided, danger=True,
        ),
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request).defer("archive", "problems")
        return rows

    @display(description="Draft", ordering="pk")
    def number(self, draft: TariffDraft) -> str:
        return f"Draft {draft.pk}"

    @display(description="State", ordering="state")
    def state_label(self, draft: TariffDraft) -> Any:
        label = badge(draft.get_state_display(), _COLOURS[draft.state])
        return format_html("{} {}", label, draft.message) if draft.message else label

    @display(description="Is loaded")
    def way(self, draft: TariffDraft) -> str:
        return "in place of all that is live" if draft.flush else "over what is live"

    @display(description="Made", ordering="made_at")
    def made(self, draft: TariffDraft) -> str:
        return instant(draft.made_at)

    @display(description="By", ordering="made_by", empty_value="a process")
    def who(self, draft: TariffDraft) -> str:
        return draft.made_by

    @display(description="Check", ordering="error_count")
    def found(self, draft: TariffDraft) -> str:
        errors = f"{counted(draft.error_count, 'error')}, " if draft.error_count else ""
        return errors + counted(draft.warning_count, "warning")

    @display(description="Checked against", empty_value="nothing")
    def based_on(self, draft: TariffDraft) -> Any:
        return link_to(draft.base_version)

    @display(description="Goes live", ordering="publish_at")
    def due(self, draft: TariffDraft) -> str:
        return instant(draft.publish_at if draft.state == TariffDraft.State.SCHEDULED else None)

    @display(description="Decided")
    def decided(self, draft: TariffDraft) -> Any:
        if draft.decided_at is None:
            return NOTHING
        return format_html("{} by {}", instant(draft.decided_at), draft.decided_by or "a process")

    @display(description="Load")
    def load_label(self, draft: TariffDraft) -> Any:
        return link_to(draft.load)


def problems(request: HttpRequest, draft: TariffDraft) -> Table:
    marked = [
        (badge("error", "danger") if index < draft.error_count else badge("warning", "warning"), *problem)
        for index, problem in enumerate(draft.problems)
    ]
    rows, previous_url, next_url = page_of(request, "check", marked)
    found = draft.error_count + draft.warning_count
    return Table(
        ("", "Where", "What", "Kind"),
        rows,
        "Nothing is wrong or odd in this draft.",
        note=f"{grouped(len(marked))} of {grouped(found)} findings are kept." if len(marked) < found else "",
        previous_url=previous_url,
        next_url=next_url,
    )


def tables(request: HttpRequest, draft: TariffDraft) -> Table:
    return Table(
        ("File", "Rows"), [(f"{name}.csv", grouped(rows)) for name, rows in draft.files.items()], right=(1,)
    )


def meanwhile(request: HttpRequest, draft: TariffDraft) -> Table:
    if not undecided(draft):
        return Table(("File", "Id"), [], "The draft is decided.")
    found = changed_meanwhile(draft)
    rows, previous_url, next_url = page_of(
        request,
        "meanwhile",
        [
            (f"{file}.csv", name, "the draft writes over it" if name in found.clashing.get(file, ()) else "")
            for file, names in found.changed.items()
            for name in names
        ],
    )
    return Table(
        ("File", "Id", ""),
        rows,
        "Nothing has changed in this tariff plan since the draft was checked.",
        previous_url=previous_url,
        next_url=next_url,
    )


_VIEW = ("rating.view_tariffdraft",)
add_panel("rating.tariffdraft", Panel("check", "Check", problems, _VIEW, 20))
add_panel("rating.tariffdraft", Panel("tables", "Files", tables, _VIEW, 30))
add_panel("rating.tariffdraft", Panel("meanwhile", "Changed meanwhile", meanwhile, _VIEW, 40))
