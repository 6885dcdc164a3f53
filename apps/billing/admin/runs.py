"""Bill runs: their progress while they run, their chunks, and stopping and resuming them."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Count, Q, Sum
from django.template.loader import render_to_string
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from apps.backoffice.admins import ReadOnlyAdmin
from apps.backoffice.display import duration, grouped, instant, link, link_to, list_url
from apps.billing.models import BillRun, BillRunChunk

STATE_COLOURS = {"running": "info", "stopped": "warning", "completed": "success", "failed": "danger"}


@admin.register(BillRun)
class BillRunAdmin(ReadOnlyAdmin):
    list_display = ("number", "cycle", "period", "state_label", "progress", "bills_link", "started", "took")
    list_display_links = ("number",)
    list_filter = (
        ("state", ChoicesDropdownFilter),
        ("cycle", RelatedDropdownFilter),
    )
    list_select_related = ("cycle",)
    search_fields = ("=cycle__number", "cycle__name")
    search_help_text = "Cycle's number or name"
    ordering = ("-pk",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("cycle", "period"),
                    "error",
                    ("started", "finished"),
                    ("activity_link", "usage_sequence"),
                )
            },
        ),
    )

    def get_queryset(self, request):
        done = Q(chunks__state=BillRunChunk.State.DONE)
        return (
            super()
            .get_queryset(request)
            .annotate(
                accounts_done=Sum("chunks__accounts", filter=done, default=0),
                bills_made=Sum("chunks__bills", default=0),
                chunks_count=Count("chunks"),
            )
        )

    @display(description="Run", ordering="pk")
    def number(self, run: BillRun) -> str:
        return f"#{run.pk}"

    @display(description="Period", ordering="period_end")
    def period(self, run: BillRun) -> str:
        zone = run.cycle.zone
        return f"{run.period_start.astimezone(zone):%Y-%m-%d} to {run.period_end.astimezone(zone):%Y-%m-%d}"

    @display(description="State", label=STATE_COLOURS, ordering="state")
    def state_label(self, run: BillRun):
        return run.state, run.get_state_display()

    @display(description="Progress")
    def progress(self, run: BillRun):
        done = (
            100 if run.state == BillRun.State.COMPLETED else run.accounts_done * 100 // max(run.accounts, 1)
        )
        return render_to_string(
            "admin/backoffice/bar.html", {"percent": done, "state": run.state, "small": True}
        )

    @display(description="Bills")
    def bills_link(self, run: BillRun):
        return link(list_url("billing.bill", run__id__exact=run.pk), grouped(run.bills_made))

    @display(description="Started", ordering="started_at")
    def started(self, run: BillRun):
        return instant(run.started_at, seconds=True)

    @display(description="Finished")
    def finished(self, run: BillRun):
        return instant(run.finished_at, seconds=True)

    @display(description="Took")
    def took(self, run: BillRun) -> str:
        if run.finished_at is None:
            return "–"
        return duration((run.finished_at - run.started_at).total_seconds())

    @display(description="Activity")
    def activity_link(self, run: BillRun):
        return link_to(run.activity)
