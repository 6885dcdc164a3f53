"""Suspense: records that could not be taken, with their reason, raw form, and what to put in place."""

from __future__ import annotations

from django.contrib import admin
from django.utils.html import format_html
from unfold.contrib.filters.admin import (
    AutocompleteSelectFilter,
    ChoicesDropdownFilter,
    RangeDateFilter,
    RelatedDropdownFilter,
)
from unfold.decorators import display

from apps.backoffice.admins import HistoryMixin, ReadOnlyAdmin
from apps.backoffice.display import badge, instant, link_to, usage
from apps.mediation.admin.suspense_filters import ReasonFilter
from apps.mediation.models import SuspendedRecord
from apps.rating.models import Service

STATE_COLOURS = {"open": "warning", "recycled": "success", "discarded": ""}


@admin.register(SuspendedRecord)
class SuspendedRecordAdmin(HistoryMixin, ReadOnlyAdmin):
    list_display = (
        "number",
        "reason_label",
        "state_label",
        "msisdn",
        "other_party",
        "service_code",
        "started",
        "file_link",
        "attempts",
    )
    list_display_links = ("number",)
    list_filter = (
        ("state", ChoicesDropdownFilter),
        ReasonFilter,
        ("source", RelatedDropdownFilter),
        ("file", AutocompleteSelectFilter),
        ("created_at", RangeDateFilter),
    )
    list_select_related = ("file",)
    search_fields = ("msisdn__startswith", "=record_id")
    search_help_text = "First digits of the MSISDN, or the record id in full"
    ordering = ("-pk",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("reason_label", "state_label"),
                    "message",
                    ("file_link", "byte_offset"),
                    ("created", "attempts"),
                    ("settled", "settled_by"),
                )
            },
        ),
        (
            "As it was read",
            {
                "fields": (
                    ("service_code", "record_id"),
                    ("msisdn", "other_party"),
                    ("started", "usage_label"),
                    "corrections",
                )
            },
        ),
    )

    @display(description="Record", ordering="pk")
    def number(self, record: SuspendedRecord) -> str:
        return f"#{record.pk}"

    @display(description="Reason", ordering="reason")
    def reason_label(self, record: SuspendedRecord):
        return format_html('<span class="bss-nowrap">{}</span>', record.reason.replace("_", " "))

    @display(description="State", ordering="state")
    def state_label(self, record: SuspendedRecord):
        return badge(record.get_state_display(), STATE_COLOURS.get(record.state, ""))

    @display(description="File", ordering="file")
    def file_link(self, record: SuspendedRecord):
        return link_to(record.file)

    @display(description="Start")
    def started(self, record: SuspendedRecord):
        return instant(record.start, seconds=True)

    @display(description="Suspended")
    def created(self, record: SuspendedRecord):
        return instant(record.created_at)

    @display(description="Settled")
    def settled(self, record: SuspendedRecord):
        return instant(record.settled_at)

    @display(description="Usage")
    def usage_label(self, record: SuspendedRecord) -> str:
        service = Service.objects.filter(code=record.service_code).first()
        return usage(record.usage, service.type_of_record if service else "generic")
