"""How far bill runs are."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.db.models import Count, Q, Sum
from django.db.models.functions import Coalesce

from apps.billing.models import BillRun, BillRunChunk
from apps.kernel.errors import NotFound


class RunProgress(NamedTuple):
    """A run as watched: chunks and accounts done of all, bills and amount so far."""

    run_id: int
    cycle: int
    period_start: datetime
    period_end: datetime
    state: str
    chunks_done: int
    chunks_failed: int
    chunks: int
    accounts_done: int
    accounts: int
    bills: int
    total_micros: int
    currency: str
    error: str
    started_at: datetime
    finished_at: datetime | None
    zone: ZoneInfo
    """Whose calendar the period's days are of."""

    @property
    def percent(self) -> int:
        """Of the accounts; a run without any is done."""
        return 100 * self.accounts_done // self.accounts if self.accounts else 100


def run_progress(run_id: int) -> RunProgress:
    """Where a run stands. Raises NotFound."""
    found = runs_progress([run_id])
    if not found:
        raise NotFound(f"there is no bill run {run_id}")
    return found[0]


def runs_progress(run_ids: list[int]) -> list[RunProgress]:
    """Where runs stand, in the order of ``run_ids``; with one query."""
    done, failed = Q(chunks__state=BillRunChunk.State.DONE), Q(chunks__state=BillRunChunk.State.FAILED)
    runs = {
        run.pk: run
        for run in BillRun.objects.filter(pk__in=run_ids)
        .select_related("cycle")
        .annotate(
            chunks_done=Count("chunks", filter=done),
            chunks_failed=Count("chunks", filter=failed),
            chunks_all=Count("chunks"),
            accounts_done=Coalesce(Sum("chunks__accounts", filter=done | failed), 0),
            bills_done=Coalesce(Sum("chunks__bills"), 0),
            total_done=Coalesce(Sum("chunks__total_micros"), 0),
        )
    }
    return [
        RunProgress(
            run.pk,
            run.cycle.number,
            run.period_start,
            run.period_end,
            run.state,
            run.chunks_done,
            run.chunks_failed,
            run.chunks_all,
            run.accounts_done,
            run.accounts,
            run.bills_done,
            run.total_done,
            run.cycle.currency,
            run.error,
            run.started_at,
            run.finished_at,
            run.cycle.zone,
        )
        for run in (runs[pk] for pk in run_ids if pk in runs)
    ]


def queue_of_chunk(chunk_id: int) -> str:
    """The queue that a chunk belongs on. Raises NotFound."""
    chunk = BillRunChunk.objects.select_related("run__cycle").filter(pk=chunk_id).first()
    if chunk is None:
        raise NotFound(f"there is no chunk {chunk_id}")
    return chunk.run.cycle.queue
