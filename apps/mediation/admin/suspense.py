"""Suspense: records that could not be taken, with their reason, raw form, and what to put in place."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.utils.html import format_html, format_html_join
from unfold.contrib.filters.admin import (
    AutocompleteSelectFilter,
    ChoicesDropdownFilter,
    RelatedDropdownFilter,
)
from unfold.decorators import display

from apps.backoffice.actions import tell
from apps.backoffice.admins import HistoryMixin, ReadOnlyAdmin
from apps.backoffice.display import badge, grouped, instant, link_to, usage
from apps.backoffice.filters import DaysFilter
from apps.backoffice.panels import Panel, Table, add_panel
from apps.kernel.clock import utc_now
from apps.kernel.errors import BssError
from apps.mediation.admin.suspense_actions import CHANGE, MOST_AT_ONCE, SUSPENSE_ACTIONS, told
from apps.mediation.admin.suspense_filters import ReasonFilter
from apps.mediation.domain.records import ADVICE
from apps.mediation.formats.decoded import hex_dump, message_fields, printable
from apps.mediation.models import SuspendedRecord
from apps.mediation.services.suspense import discard, recycle
from apps.rating.models import Service

STATE_COLOURS = {"open": "warning", "recycled": "success", "duplicate": "info", "discarded": ""}


@admin.register(SuspendedRecord)
class SuspendedRecordAdmin(HistoryMixin, ReadOnlyAdmin):
    list_display = (
        "number",
        "reason_label",
        "state_label",
        "msisdn_label",
        "other_party",
        "service_label",
        "started",
        "file_link",
    )
    list_display_links = ("number",)
    list_filter = (
        ("state", ChoicesDropdownFilter),
        ReasonFilter,
        ("source", RelatedDropdownFilter),
        ("file", AutocompleteSelectFilter),
        ("created_at", DaysFilter),
    )
    list_select_related = ("file",)
    search_fields = ("msisdn__startswith", "=record_id")
    search_help_text = "First digits of the MSISDN, or the record id in full"
    ordering = ("-pk",)
    actions = ("recycle_selected", "discard_selected")
    page_actions = SUSPENSE_ACTIONS

    def get_fieldsets(self, request: HttpRequest, obj: SuspendedRecord | None = None) -> Any:
        about: list[Any] = [
            ("reason_label", "state_label"),
            "message",
            "advice",
            ("file_link", "byte_offset"),
            ("created", "attempts"),
        ]
        if obj is not None and obj.settled_at is not None:
            about += [("settled", "settled_by"), "settled_in_link"]
        read = [
            ("service_label", "record_id"),
            ("msisdn_label", "other_party"),
            ("started", "usage_label"),
            "corrections_label",
        ]
        return ((None, {"fields": about}), ("As it was read", {"fields": read}))

    def has_settle_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perms(CHANGE)

    @admin.action(description="Recycle (rate again)", permissions=["settle"])
    def recycle_selected(self, request: HttpRequest, queryset: QuerySet[SuspendedRecord]) -> None:
        ids = self._open_ids(request, queryset)
        try:
            result = recycle(ids, now=utc_now(), by=request.user.get_username())
        except BssError as error:
            tell(request, error)
            return
        text = "Rated again: " + told(result)
        (messages.success if result.rated or not result.refused else messages.warning)(request, text)

    @admin.action(description="Discard", permissions=["settle"])
    def discard_selected(
        self, request: HttpRequest, queryset: QuerySet[SuspendedRecord]
    ) -> HttpResponse | None:
        ids = self._open_ids(request, queryset)
        if request.POST.get("confirmed") == "yes":
            given_up = discard(ids, now=utc_now(), by=request.user.get_username())
            messages.success(request, f"{grouped(given_up)} given up.")
            return None
        context = {
            **self.admin_site.each_context(request),
            "title": f"Discard {grouped(len(ids))} records?",
            "explanation": "They are given up and never charged. They stay here, marked as discarded.",
            "opts": self.opts,
            "selected": request.POST.getlist(ACTION_CHECKBOX_NAME),
            "select_across": request.POST.get("select_across", "0"),
            "action_name": "discard_selected",
            "submit_text": "Discard",
            "back": request.get_full_path(),
        }
        return TemplateResponse(request, "admin/backoffice/confirm_selected.html", context)

    def _open_ids(self, request: HttpRequest, queryset: QuerySet[SuspendedRecord]) -> list[int]:
        """Those of the chosen records that are open, oldest first, as many as are done at once."""
        chosen = queryset.filter(state=SuspendedRecord.State.OPEN).order_by("pk").values_list("pk", flat=True)
        ids = list(chosen[: MOST_AT_ONCE + 1])
        if len(ids) > MOST_AT_ONCE:
            ids.pop()
            messages.info(
                request,
                f"The oldest {grouped(MOST_AT_ONCE)} are taken; do it again for the rest, or use recyclecdrs.",
            )
        return ids

    @display(description="Record", ordering="pk")
    def number(self, record: SuspendedRecord) -> str:
        return f"#{record.pk}"

    @display(description="Reason", ordering="reason")
    def reason_label(self, record: SuspendedRecord) -> str:
        return format_html('<span class="bss-nowrap">{}</span>', record.reason.replace("_", " "))

    @display(description="What to do")
    def advice(self, record: SuspendedRecord) -> str:
        return ADVICE.get(record.reason, "Mend what the message says; then recycle it.")

    @display(description="MSISDN", ordering="msisdn")
    def msisdn_label(self, record: SuspendedRecord) -> str:
        return record.msisdn or "–"

    @display(description="Rated in")
    def settled_in_link(self, record: SuspendedRecord) -> str:
        return link_to(record.settled_in)

    @display(description="State", ordering="state")
    def state_label(self, record: SuspendedRecord) -> str:
        return badge(record.get_state_display(), STATE_COLOURS.get(record.state, ""))

    @display(description="File", ordering="file")
    def file_link(self, record: SuspendedRecord) -> str:
        name = record.file.name
        return link_to(record.file, format_html('<span class="bss-clip" title="{}">{}</span>', name, name))

    @display(description="Service", ordering="service_code")
    def service_label(self, record: SuspendedRecord) -> str:
        return record.service_code or "–"

    @display(description="Start")
    def started(self, record: SuspendedRecord) -> str:
        return instant(record.start, seconds=True)

    @display(description="Suspended")
    def created(self, record: SuspendedRecord) -> str:
        return instant(record.created_at)

    @display(description="Settled")
    def settled(self, record: SuspendedRecord) -> str:
        return instant(record.settled_at)

    @display(description="Corrections")
    def corrections_label(self, record: SuspendedRecord) -> str:
        pairs = ((name.replace("_", " "), value) for name, value in record.corrections.items())
        return format_html_join(", ", "{}: <strong>{}</strong>", pairs) or "none"

    @display(description="Usage")
    def usage_label(self, record: SuspendedRecord) -> str:
        service = Service.objects.filter(code=record.service_code).first()
        return usage(record.usage, service.type_of_record if service else "generic")


def raw_record(request: HttpRequest, record: SuspendedRecord) -> Table:
    """The record as in its file: its fields, if they can be read, and its octets."""
    raw = bytes(record.raw)
    fields = message_fields(raw) if record.file.format in ("", "protobuf") else []
    return Table(
        ("Field", "Value"),
        fields,
        "Its fields cannot be read." if not printable(raw) else "One line of the file:",
        below=render_to_string(
            "admin/backoffice/raw.html",
            {"dump": hex_dump(raw), "text": printable(raw), "octets": grouped(len(raw))},
        ),
    )


add_panel(
    "mediation.suspendedrecord", Panel("raw", "Raw record", raw_record, ("mediation.view_suspendedrecord",))
)
