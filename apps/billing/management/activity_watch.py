"""Watch activities from a terminal until they are done."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import IO, cast

from django.core.management.base import OutputWrapper
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from apps.billing.models import Activity
from apps.billing.selectors.runs import RunProgress, run_progress
from apps.billing.services.activities import activities_to_send
from apps.kernel.clock import utc_now
from apps.kernel.currencies import format_money

TICK_S = 0.5
HINT_AFTER_S = 20
HINT = "; a worker of ./run serve bills it, --wait shows how far it is"
FINISHED = (Activity.Status.COMPLETED, Activity.Status.ERROR)


def wait_for(activities: Sequence[Activity], out: OutputWrapper) -> bool:
    """Wait until all are finished, showing how far they are; whether all of them succeeded.

    Pending activities are sent to their queue here too, so that no beat is needed; the workers have to run.
    """
    if not out.isatty():
        succeeded = [_watch(activity, _Lines(out), out) for activity in activities]
        return all(succeeded)
    console = Console(file=cast(IO[str], out._out))
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("accounts")
    with Progress(*columns, TimeElapsedColumn(), console=console) as bars:
        succeeded = [_watch(activity, _Bar(bars, str(activity)), out) for activity in activities]
    return all(succeeded)


class _Lines:
    """A plain line whenever another tenth is done."""

    def __init__(self, out: OutputWrapper) -> None:
        self._out, self._tenths = out, -1

    def show(self, progress: RunProgress) -> None:
        if progress.percent // 10 > self._tenths:
            self._tenths = progress.percent // 10
            self._out.write(
                f"run {progress.run_id}: {progress.accounts_done} of {progress.accounts} accounts, "
                f"{progress.bills} bills, {format_money(progress.total_micros, progress.currency)}"
            )


class _Bar:
    def __init__(self, bars: Progress, name: str) -> None:
        self._bars = bars
        self._task = bars.add_task(name, total=None)

    def show(self, progress: RunProgress) -> None:
        self._bars.update(self._task, total=progress.accounts, completed=progress.accounts_done)


def _watch(activity: Activity, shown: _Lines | _Bar, out: OutputWrapper) -> bool:
    started, hinted = time.monotonic(), False
    while True:
        activity.refresh_from_db()
        run = activity.runs.first()
        if run is not None:
            shown.show(run_progress(run.pk))
        if activity.status in FINISHED:
            break
        if activity.status == Activity.Status.PENDING:
            activities_to_send(utc_now())
            if not hinted and time.monotonic() - started > HINT_AFTER_S:
                hinted = True
                out.write(
                    f"no worker has taken it from the queue {activity.cycle.queue} yet; is one running? "
                    f"(./run serve, or: celery -A bss_project worker -Q {activity.cycle.queue})"
                )
        time.sleep(TICK_S)
    succeeded = activity.status == Activity.Status.COMPLETED
    out.write(
        f"{activity}: {activity.result or activity.error}" if succeeded else f"{activity}: {activity.error}"
    )
    return succeeded
