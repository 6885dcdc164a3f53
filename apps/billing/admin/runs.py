"""Bill runs: their progress while they run, their chunks, and stopping and resuming them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, Q, QuerySet, Sum
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from apps.backoffice.actions import PageAction
from apps.backoffice.admins import ReadOnlyAdmin, get_or_404, require
from apps.backoffice.display import badge, duration, grouped, instant, link, link_to, list_url, plain_money
from apps.backoffice.forms import ActionForm
from apps.backoffice.panels import Panel, Table, add_panel, page_of
from apps.billing.admin.bills import days_of
from apps.billing.models import BillRun, BillRunChunk
from apps.billing.selectors.runs import RunProgress, run_progress
from apps.billing.services.runs import resume_run, stop_run
from apps.kernel.clock import utc_now

STATE_COLOURS = {"running": "info", "stopped": "warning", "completed": "success", "failed": "danger"}
CHANGE = ("billing.change_billrun",)


def stop(request: HttpRequest, run: BillRun, form: ActionForm) -> str:
    stop_run(run.pk, request.user.get_username(), utc_now())
    return f"Run {run.pk} begins no further chunk; chunks in progress are finished."


def resume(request: HttpRequest, run: BillRun, form: ActionForm) -> str:
    resume_run(run.pk, request.user.get_username(), utc_now())
    return f"Run {run.pk} goes on."


def progress_values(progress: RunProgress) -> dict[str, object]:
    """A run's progress as the page shows it and polls it."""
    took = (progress.finished_at or utc_now()) - progress.started_at
    return {
        "state": progress.state,
        "state_label": BillRun.State(progress.state).label,
        "percent": progress.percent,
        "accounts": f"{grouped(progress.accounts_done)} of {grouped(progress.accounts)}",
        "chunks": f"{grouped(progress.chunks_done)} of {grouped(progress.chunks)}",
        "chunks_failed": progress.chunks_failed,
        "bills": grouped(progress.bills),
        "total": plain_money(progress.total_micros, progress.currency),
        "took": duration(took.total_seconds())
        if progress.finished_at or progress.state == "running"
        else "–",
        "error": progress.error,
    }


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

    change_form_template = "admin/billing/billrun/change_form.html"
    page_actions = (
        PageAction(
            "stop",
            "Stop",
            CHANGE,
            stop,
            icon="stop",
            danger=True,
            offered=lambda run: run.state == BillRun.State.RUNNING,
            explain=lambda _: (
                "No further chunk is begun. Bills made so far stay, and the run can be resumed."
            ),
        ),
        PageAction(
            "resume",
            "Resume",
            CHANGE,
            resume,
            icon="play_arrow",
            primary=True,
            offered=lambda run: run.state in (BillRun.State.STOPPED, BillRun.State.FAILED),
            explain=lambda _: "Bills the accounts that are left, and tries failed ones again.",
        ),
        PageAction(
            "repeat",
            "Repeat",
            CHANGE,
            resume,
            icon="replay",
            offered=lambda run: run.state == BillRun.State.COMPLETED,
            explain=lambda _: (
                "Bills accounts that came into the cycle since. Who has a bill for this period gets no second one."
            ),
        ),
    )

    def get_urls(self) -> list[URLPattern]:
        poll = self.admin_site.admin_view(self.progress_view)
        return [path("<int:run_id>/progress/", poll, name="billing_billrun_progress"), *super().get_urls()]

    def progress_view(self, request: HttpRequest, run_id: int) -> JsonResponse:
        """The run's progress as JSON, for the page to poll."""
        require(request, "billing.view_billrun")
        run = get_or_404(self.get_queryset(request), run_id)
        return JsonResponse(progress_values(run_progress(run.pk)))

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        if obj is not None:
            context["progress"] = progress_values(run_progress(obj.pk))
        return super().render_change_form(request, context, add, change, form_url, obj)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        done = Q(chunks__state=BillRunChunk.State.DONE)
        rows: QuerySet[Any] = (
            super()
            .get_queryset(request)
            .annotate(
                accounts_done=Sum("chunks__accounts", filter=done, default=0),
                bills_made=Sum("chunks__bills", default=0),
                chunks_count=Count("chunks"),
            )
        )
        return rows

    @display(description="Run", ordering="pk")
    def number(self, run: BillRun) -> str:
        return f"#{run.pk}"

    @display(description="Period", ordering="period_end")
    def period(self, run: BillRun) -> str:
        return days_of(run.period_start, run.period_end, run.cycle.zone)

    @display(description="State", ordering="state")
    def state_label(self, run: BillRun) -> SafeString | str:
        return badge(run.get_state_display(), STATE_COLOURS.get(run.state, ""))

    @display(description="Progress")
    def progress(self, run: Any) -> SafeString | str:
        done = (
            100 if run.state == BillRun.State.COMPLETED else run.accounts_done * 100 // max(run.accounts, 1)
        )
        return render_to_string(
            "admin/backoffice/bar.html", {"percent": done, "state": run.state, "small": True}
        )

    @display(description="Bills")
    def bills_link(self, run: Any) -> SafeString | str:
        return link(list_url("billing.bill", run__id__exact=run.pk), grouped(run.bills_made))

    @display(description="Started", ordering="started_at")
    def started(self, run: BillRun) -> SafeString | str:
        return instant(run.started_at, seconds=True)

    @display(description="Finished")
    def finished(self, run: BillRun) -> SafeString | str:
        return instant(run.finished_at, seconds=True)

    @display(description="Took")
    def took(self, run: BillRun) -> str:
        if run.finished_at is None:
            return "–"
        return duration((run.finished_at - run.started_at).total_seconds())

    @display(description="Activity")
    def activity_link(self, run: BillRun) -> SafeString | str:
        return link_to(run.activity)


CHUNK_COLOURS = {"done": "success", "failed": "danger", "pending": "info"}


def chunks(request: HttpRequest, run: BillRun) -> Table:
    """Chunks of accounts, those that are not done first."""
    rows, previous_url, next_url = page_of(request, "chunks", run.chunks.order_by("-state", "number"))
    return Table(
        ("Chunk", "State", "Accounts", "Attempts", "Bills", "Amount", "Finished", "Error"),
        [
            (
                row.number,
                badge(row.get_state_display(), CHUNK_COLOURS.get(row.state, "")),
                grouped(row.accounts),
                row.attempts,
                grouped(row.bills),
                plain_money(row.total_micros, run.cycle.currency),
                instant(row.finished_at, seconds=True),
                row.error,
            )
            for row in rows
        ],
        "No chunk yet.",
        (2, 3, 4, 5),
        previous_url=previous_url,
        next_url=next_url,
    )


add_panel("billing.billrun", Panel("chunks", "Chunks", chunks, ("billing.view_billrun",)))
