"""Files that could not be loaded and wait: why, and what to do."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest
from unfold.decorators import display

from apps.backoffice.admins import ReadOnlyAdmin
from apps.backoffice.display import grouped, instant, link_to
from apps.backoffice.panels import Fact, Panel, Table, add_facts, add_panel, page_of
from apps.mediation.domain.waiting import file_advice
from apps.mediation.models import Source, WaitingFile


@admin.register(WaitingFile)
class WaitingFileAdmin(ReadOnlyAdmin):
    list_display = ("name", "source_link", "message", "advice", "attempts", "since", "last_tried")
    list_select_related = ("source",)
    search_fields = ("name",)
    ordering = ("-last_tried_at", "-pk")
    fields = (
        ("name", "source_link"),
        "place",
        "message",
        "advice",
        ("attempts", "since", "last_tried"),
    )

    @display(description="Source", ordering="source")
    def source_link(self, file: WaitingFile) -> str:
        return link_to(file.source)

    @display(description="Where it is")
    def place(self, file: WaitingFile) -> str:
        return bytes(file.path).decode("utf-8", "backslashreplace")

    @display(description="What to do")
    def advice(self, file: WaitingFile) -> str:
        return file_advice(file.reason)

    @display(description="Waits since", ordering="first_tried_at")
    def since(self, file: WaitingFile) -> str:
        return instant(file.first_tried_at)

    @display(description="Last tried", ordering="last_tried_at")
    def last_tried(self, file: WaitingFile) -> str:
        return instant(file.last_tried_at, seconds=True)


def waiting_files(request: HttpRequest, source: Source) -> Table:
    """The source's files that could not be loaded."""
    files = WaitingFile.objects.filter(source=source).order_by("-last_tried_at", "-pk")
    rows, previous_url, next_url = page_of(request, "waiting", files)
    return Table(
        ("File", "Why it waits", "What to do", "Attempts", "Last tried"),
        [
            (
                link_to(file),
                file.message,
                file_advice(file.reason),
                grouped(file.attempts),
                instant(file.last_tried_at, seconds=True),
            )
            for file in rows
        ],
        "No file of this source waits.",
        (3,),
        previous_url=previous_url,
        next_url=next_url,
    )


add_panel(
    "mediation.source",
    Panel("waiting", "Files that wait", waiting_files, ("mediation.view_waitingfile",), 20),
)


def number_of_waiting_files(request: HttpRequest, source: Source) -> list[Fact]:
    """How many wait, if some do."""
    count = WaitingFile.objects.filter(source=source).count()
    if not count or not request.user.has_perm("mediation.view_waitingfile"):
        return []
    return [Fact("Files that wait", grouped(count), "could not be loaded", "?panel=waiting")]


add_facts("mediation.source", number_of_waiting_files)
