"""Celery's way into billing. A message only says what to look at; the rows say whether there is anything to do."""

from __future__ import annotations

import structlog

from apps.billing.selectors.runs import queue_of_chunk
from apps.billing.services import activities, execution, runs
from apps.kernel.clock import utc_now
from apps.kernel.errors import BssError
from apps.runtime.tasks import Task, shared_task

log = structlog.get_logger(__name__)


def _came_over_its_own_queue(task: Task[..., None], queue: str) -> bool:
    """Whether the message was delivered on the cycle's queue; if not, the row is left for those who serve that."""
    delivered_on = str((task.request.delivery_info or {}).get("routing_key") or "")
    try:
        execution.require_own_queue(queue, delivered_on)
    except BssError as error:
        log.error("refused", task=task.name, args=task.request.args, reason=str(error))
        return False
    return True


@shared_task(name="apps.billing.tasks.queue_due_cycles")
def queue_due_cycles() -> None:
    """Beat: queue full runs of the cycles whose day has come."""
    for activity in activities.queue_due_cycles(utc_now()):
        about = activity.parameters
        log.info("queued", activity=activity.pk, cycle=about.cycle, month=str(about.month))


@shared_task(name="apps.billing.tasks.dispatch_activities")
def dispatch_activities() -> None:
    """Beat: send pending activities to the cycles' queues, and stalled ones again."""
    now = utc_now()
    for activity in activities.activities_to_send(now):
        log.info("sent", activity=activity.pk, queue=activity.cycle.queue, times=activity.sends)
    for run_id in activities.runs_to_continue():
        runs.continue_run(run_id, now)


@shared_task(name="apps.billing.tasks.run_activity", bind=True)
def run_activity(self: Task[..., None], activity_id: int) -> None:
    """Do an activity; only on its cycle's queue."""
    if _came_over_its_own_queue(self, execution.queue_of(activity_id)):
        execution.run_activity(activity_id, utc_now())


@shared_task(name="apps.billing.tasks.bill_chunk", bind=True)
def bill_chunk(self: Task[..., None], chunk_id: int) -> None:
    """Bill a chunk of a run; only on its cycle's queue."""
    if _came_over_its_own_queue(self, queue_of_chunk(chunk_id)):
        runs.bill_chunk(chunk_id, utc_now())
