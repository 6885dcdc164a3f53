"""Celery's way into invoicing. Messages carry nothing: the rows say which bills are due."""

from __future__ import annotations

import math
import time

import structlog
from django.conf import settings

from apps.invoicing.services import claims
from apps.invoicing.services.announcements import announce_finished, tell_trouble
from apps.invoicing.services.document_files import FolderUnusable
from apps.invoicing.services.engines import EngineUnusable
from apps.invoicing.services.workers import format_bills
from apps.kernel.clock import utc_now
from apps.runtime.tasks import shared_task

log = structlog.get_logger(__name__)


@shared_task(name="apps.invoicing.tasks.render_new_bills")
def render_new_bills() -> None:
    """Beat: send as many tasks as there are batches due, so that every worker has one; report the finished ones."""
    now = utc_now()
    claims.release_of_dead(now)
    batch, most = settings.INVOICE_BATCH, settings.INVOICE_BATCH * settings.INVOICE_FAN_OUT
    due = claims.due_count(now, at_most=most)
    for _ in range(math.ceil(due / batch)):
        render_bills.apply_async(expires=settings.INVOICE_TASK_S)
    announce_finished(now)


@shared_task(name="apps.invoicing.tasks.render_bills")
def render_bills(limit: int | None = None) -> None:
    """Render batch after batch for some seconds, or until nothing is due (or ``limit`` documents were begun)."""
    until = time.monotonic() + settings.INVOICE_TASK_S
    written = failed = 0
    try:
        for outcome in format_bills(utc_now, limit=limit, stop=lambda: time.monotonic() > until):
            written += len(outcome.written)
            failed += len(outcome.failed)
    except (EngineUnusable, FolderUnusable) as error:
        log.error("no documents", reason=str(error))
        tell_trouble(f"No documents can be written: {error}", utc_now())
    if written or failed:
        log.info("documents", written=written, failed=failed)
    announce_finished(utc_now())
