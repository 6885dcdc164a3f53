"""CDR files and their outcomes."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from apps.backoffice.admins import ReadOnlyAdmin
from apps.backoffice.display import badge, grouped, instant, link, link_to, list_url, octets
from apps.backoffice.filters import DaysFilter
from apps.mediation.models import CdrFile


@admin.register(CdrFile)
class CdrFileAdmin(ReadOnlyAdmin):
    list_display = (
        "name",
        "state_label",
        "source_link",
        "records_label",
        "rated_label",
        "suspense_link",
        "duplicates_label",
        "cost",
        "loaded",
    )
    list_filter = (
        ("state", ChoicesDropdownFilter),
        ("kind", ChoicesDropdownFilter),
        ("source", RelatedDropdownFilter),
        ("loaded_at", DaysFilter),
    )
    list_select_related = ("source",)
    search_fields = ("name", "=content_hash")
    search_help_text = "File name, or the SHA-256 of its bytes"
    ordering = ("-pk",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("name", "state_label"),
                    "error",
                    "advice",
                    ("source_link", "kind"),
                    ("taken", "loaded"),
                )
            },
        ),
        (
            "Records",
            {
                "fields": (
                    ("records_label", "rated_label"),
                    ("suspense_link", "duplicates_label"),
                    ("left_out_label",),
                    ("cost", "cdrs_link"),
                    ("first", "last"),
                )
            },
        ),
        (
            "File",
            {
                "classes": ("collapse",),
                "fields": (
                    ("size", "file_sequence"),
                    "content_hash",
                    ("load_sequence", "tariff_link"),
                ),
            },
        ),
    )

    @display(description="State", ordering="state")
    def state_label(self, file: CdrFile) -> str:
        return badge(
            file.get_state_display(), ({"loaded": "success", "refused": "danger"}).get(file.state, "")
        )

    @display(description="What to do")
    def advice(self, file: CdrFile) -> str:
        if file.state == CdrFile.State.REFUSED:
            return (
                f"It is in {settings.CDR_ERROR_DIR}. Once the cause is mended, put it back into {settings.CDR_NEW_DIR} "
                "under its own name."
            )
        return "Settle its records in suspense." if file.suspended else "–"

    @display(description="Source", ordering="source")
    def source_link(self, file: CdrFile) -> str:
        return link_to(file.source)

    @display(description="Records", ordering="records")
    def records_label(self, file: CdrFile) -> str:
        return grouped(file.records)

    @display(description="Rated", ordering="rated")
    def rated_label(self, file: CdrFile) -> str:
        return grouped(file.rated)

    @display(description="Duplicates", ordering="duplicates")
    def duplicates_label(self, file: CdrFile) -> str:
        return grouped(file.duplicates)

    @display(description="Left out by the source's filter")
    def left_out_label(self, file: CdrFile) -> str:
        return f"{grouped(file.left_out)} lines" if file.left_out else "–"

    @display(description="In suspense", ordering="suspended")
    def suspense_link(self, file: CdrFile) -> str:
        if not file.suspended:
            return "0"
        return link(list_url("mediation.suspendedrecord", file__id__exact=file.pk), grouped(file.suspended))

    @display(description="CDRs")
    def cdrs_link(self, file: CdrFile) -> str:
        if not file.rated:
            return "–"
        return link(list_url("mediation.cdr", file=file.pk), "Show them")

    @display(description="Loaded", ordering="loaded_at")
    def loaded(self, file: CdrFile) -> str:
        return instant(file.loaded_at)

    @display(description="Taken")
    def taken(self, file: CdrFile) -> str:
        return instant(file.taken_at, seconds=True)

    @display(description="First use")
    def first(self, file: CdrFile) -> str:
        return instant(file.first_start, seconds=True)

    @display(description="Last use")
    def last(self, file: CdrFile) -> str:
        return instant(file.last_start, seconds=True)

    @display(description="Size")
    def size(self, file: CdrFile) -> str:
        return octets(file.size_octets)

    @display(description="Priced with")
    def tariff_link(self, file: CdrFile) -> str:
        return link_to(file.tariff_version)
