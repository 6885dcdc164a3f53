"""``activities``: lists them: queued, in progress and done."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from apps.billing.models import Activity
from apps.billing.selectors.runs import run_progress
from apps.runtime.commands import RoomCommand

STATUSES = {status.name.lower(): status for status in Activity.Status}


class Command(RoomCommand):
    help = "List activities, newest first, with how far their runs are."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--status", choices=sorted(STATUSES), help="Only these.")
        parser.add_argument("--limit", type=int, default=20, help="At most so many (default: %(default)s).")

    def handle(self, *args: Any, status: str | None, limit: int, **options: Any) -> None:
        rows = Activity.objects.select_related("cycle").order_by("-pk")
        if status:
            rows = rows.filter(status=STATUSES[status])
        shown = 0
        for activity in rows[:limit]:
            shown += 1
            about = activity.parameters
            self.stdout.write(
                f"{activity.pk:>6}  {activity.queued_at:%Y-%m-%d %H:%M:%S}  {activity.get_status_display():<10}  "
                f"{activity.get_type_display():<14}  {about.subject:<16} {about.month}  "
                f"{activity.cycle.queue:<14}  {self._news_of(activity)}".rstrip()
            )
        if not shown:
            self.stdout.write("there are no such activities" if status else "there are no activities")

    @staticmethod
    def _news_of(activity: Activity) -> str:
        run = activity.runs.first()
        if run is not None and activity.status == Activity.Status.PROCESSING:
            progress = run_progress(run.pk)
            return f"run {run.pk}: {progress.accounts_done} of {progress.accounts} accounts ({progress.percent} %)"
        return (activity.error or activity.result).replace("\n", "; ")
