"""Celery's way into re-rating. A message only says what to look at; the rows say what is due."""

from __future__ import annotations

from apps.kernel.clock import utc_now
from apps.rerating.services import jobs
from apps.runtime.tasks import shared_task

PORTION_S = 5.0
"""So long a message is worked on before its worker takes other messages of the queue."""


@shared_task(name="apps.rerating.tasks.work_on_job")
def work_on_job(job_id: int) -> None:
    """Go on with a job, and send it on if there is more to do."""
    if jobs.work(job_id, utc_now, PORTION_S):
        jobs.send_again(job_id)


@shared_task(name="apps.rerating.tasks.continue_jobs")
def continue_jobs() -> int:
    """Beat: send jobs again that stand still."""
    return jobs.continue_jobs(utc_now())
