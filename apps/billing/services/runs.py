"""Bill runs: one cycle billed for one period, in chunks of accounts that workers of the cycle's queue take.

The rows say which chunks are done and due. A lost, doubled or late message changes nothing: a chunk is billed in
one transaction that ends with the chunk being done, and accounts that are billed already are left out of it.
"""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Max, QuerySet, Sum

from apps.billing.domain.resending import stands_still
from apps.billing.models import Activity, BillCycle, BillRun, BillRunChunk
from apps.billing.selectors.due import last_load_sequence, unbilled, unbilled_ids
from apps.billing.services.billing import bill_accounts
from apps.billing.services.notifications import notify
from apps.billing.services.sending import patience, send_on_commit
from apps.kernel.currencies import format_money
from apps.kernel.errors import BssError, Conflict, NotFound
from apps.kernel.periods import Period, as_utc

State = BillRun.State
ChunkState = BillRunChunk.State


@transaction.atomic
def begin_run(cycle: BillCycle, period: Period, activity: Activity | None, now: datetime) -> BillRun:
    """The run of ``cycle`` for ``period``, cut into chunks; an existing run is resumed for the rest.

    Nothing to bill is no error: such a run is completed at once. Raises Conflict if the run is going on already.
    """
    # Two that begin a run of this cycle wait for each other here.
    BillCycle.objects.select_for_update().get(pk=cycle.pk)
    run, created = BillRun.objects.get_or_create(
        cycle=cycle,
        period_end=period.end,
        defaults={
            "activity": activity,
            "period_start": period.start,
            "usage_sequence": last_load_sequence(),
            "started_at": now,
        },
    )
    if not created:
        run = _locked(run.pk)
        if run.state == State.RUNNING:
            raise Conflict(f"run {run.pk} ({run}) is going on already", code="already_running")
        _take_up(run, activity)
    _cut_into_chunks(run)
    _send_chunks(run, now)
    finish_if_done(run, now)
    return run


@transaction.atomic
def stop_run(run_id: int, by: str, now: datetime) -> BillRun:
    """Begin no further chunk; chunks in progress are finished. Raises NotFound, or Conflict if it is not running."""
    run = _locked(run_id)
    if run.state != State.RUNNING:
        raise Conflict(f"run {run.pk} is {run.get_state_display().lower()}, not running", code="not_running")
    run.state = State.STOPPED
    run.save(update_fields=["state"])
    run.chunks.filter(state=ChunkState.PENDING).update(sent_at=None, sends=0)
    _close_activity(run, Activity.Status.ERROR, f"stopped by {by or 'an operator'}; resume run {run.pk}", now)
    return run


@transaction.atomic
def resume_run(run_id: int, by: str, now: datetime) -> BillRun:
    """Take a stopped, failed or completed run up again: failed chunks, and accounts that are unbilled still.

    Raises NotFound, or Conflict if it is running.
    """
    run = _locked(run_id)
    if run.state == State.RUNNING:
        raise Conflict(f"run {run.pk} is going on already", code="already_running")
    _take_up(run, run.activity)
    _cut_into_chunks(run)
    _send_chunks(run, now)
    finish_if_done(run, now)
    return run


def bill_chunk(chunk_id: int, now: datetime) -> None:
    """Bill the accounts of a chunk, and send the next. Doing it twice, or at once, bills no account twice.

    An error is kept with the chunk, which is tried again until ``BILLING_CHUNK_ATTEMPTS``.
    """
    chunk = _begin_attempt(chunk_id)
    if chunk is None:
        return
    try:
        _bill_in_one_transaction(chunk_id, now)
    except Exception as error:  # On any error the run has to report it rather than stand still.
        _note_failure(chunk_id, error)
        if not isinstance(error, BssError) and not transaction.get_connection().in_atomic_block:
            connection.close_if_unusable_or_obsolete()
    continue_run(chunk.run_id, now)


@transaction.atomic
def continue_run(run_id: int, now: datetime) -> None:
    """Send the due chunks of a run, and finish it if none are left. Beat does so too, for lost messages."""
    run = _locked(run_id)
    if run.state == State.RUNNING:
        _send_chunks(run, now)
        finish_if_done(run, now)


def finish_if_done(run: BillRun, now: datetime) -> bool:
    """Complete (or fail) the run once, when no chunk is left. Inside a transaction that has locked the run."""
    if run.state != State.RUNNING or run.chunks.filter(state=ChunkState.PENDING).exists():
        return False
    failed = list(
        run.chunks.filter(state=ChunkState.FAILED).order_by("number").values_list("error", flat=True)
    )
    run.error = "\n".join(failed)
    run.state = State.FAILED if failed else State.COMPLETED
    run.finished_at = now
    run.save(update_fields=["state", "error", "finished_at"])
    done = run.chunks.aggregate(bills=Sum("bills"), total=Sum("total_micros"))
    bills, total = done["bills"] or 0, done["total"] or 0
    result = f"{bills} bills, {format_money(total, run.cycle.currency)}"
    if failed:
        text = f"Bill run of {run} failed in part: {result}; {failed[0]}"
        _close_activity(run, Activity.Status.ERROR, run.error, now, result)
    else:
        text = f"Bill run of {run} is complete: {result}"
        _close_activity(run, Activity.Status.COMPLETED, "", now, result)
    notify(
        text,
        now,
        level="error" if failed else "info",
        tenant_id=run.cycle.tenant_id,
        activity=run.activity,
    )
    return True


def _locked(run_id: int) -> BillRun:
    run = BillRun.objects.select_for_update().filter(pk=run_id).first()
    if run is None:
        raise NotFound(f"there is no bill run {run_id}")
    return run


def _take_up(run: BillRun, activity: Activity | None) -> None:
    run.state = State.RUNNING
    run.activity = activity
    run.error = ""
    run.finished_at = None
    run.usage_sequence = last_load_sequence()
    run.save(update_fields=["state", "activity", "error", "finished_at", "usage_sequence"])
    run.chunks.exclude(state=ChunkState.DONE).update(
        state=ChunkState.PENDING, attempts=0, sends=0, sent_at=None, error=""
    )
    if activity is not None:
        Activity.objects.filter(pk=activity.pk).update(
            status=Activity.Status.PROCESSING, error="", result="", finished_at=None
        )


def _cut_into_chunks(run: BillRun) -> None:
    """Chunks for unbilled accounts that no pending chunk covers yet."""
    covered = list(run.chunks.filter(state=ChunkState.PENDING).values_list("first_account", "last_account"))
    ids = [
        pk
        for pk in unbilled_ids(run.cycle, as_utc(run.period_end))
        if not any(first <= pk <= last for first, last in covered)
    ]
    number = (run.chunks.aggregate(last=Max("number"))["last"] or 0) + 1
    size = max(1, settings.BILLING_CHUNK_ACCOUNTS)
    BillRunChunk.objects.bulk_create(
        [
            BillRunChunk(
                run=run,
                number=number + index,
                first_account=part[0],
                last_account=part[-1],
                accounts=len(part),
            )
            for index, part in enumerate(ids[start : start + size] for start in range(0, len(ids), size))
        ],
        batch_size=1_000,
    )
    run.accounts = run.chunks.aggregate(accounts=Sum("accounts"))["accounts"] or 0
    run.save(update_fields=["accounts"])


def _send_chunks(run: BillRun, now: datetime) -> None:
    """Keep a bounded number of chunks on the queue, and send again what stands still there.

    Chunks that a worker is billing are locked; they are skipped.
    """
    pending = _not_in_hand(run.chunks.filter(state=ChunkState.PENDING)).order_by("number")
    sent = run.chunks.filter(state=ChunkState.PENDING).exclude(sent_at=None).count()
    lost = [
        chunk
        for chunk in pending.exclude(sent_at=None)
        if stands_still(chunk.sent_at, chunk.sends, now, patience())
    ]
    fresh = list(pending.filter(sent_at=None)[: max(0, settings.BILLING_CHUNKS_IN_FLIGHT - sent)])
    for chunk in (*lost, *fresh):
        chunk.sent_at = now
        chunk.sends += 1
        chunk.save(update_fields=["sent_at", "sends"])
    send_on_commit("bill_chunk", run.cycle.queue, [chunk.pk for chunk in (*lost, *fresh)])


def _not_in_hand(chunks: QuerySet[BillRunChunk]) -> QuerySet[BillRunChunk]:
    """Chunks, locked; those that another worker has locked are skipped."""
    return chunks.select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked)


def _pending_chunk(chunk_id: int) -> BillRunChunk | None:
    """The chunk, locked; None if it is done. If another worker is billing it, wait for that."""
    return BillRunChunk.objects.select_for_update().filter(pk=chunk_id, state=ChunkState.PENDING).first()


@transaction.atomic
def _begin_attempt(chunk_id: int) -> BillRunChunk | None:
    """Count the attempt before it is made, so that a chunk that kills its worker is given up at last."""
    chunk = _pending_chunk(chunk_id)
    if chunk is None or chunk.run.state != State.RUNNING:
        return None
    if chunk.attempts >= settings.BILLING_CHUNK_ATTEMPTS:
        chunk.state = ChunkState.FAILED
        chunk.error = chunk.error or f"begun {chunk.attempts} times and never finished; see the worker's log"
    chunk.attempts += 1
    chunk.save(update_fields=["attempts", "state", "error"])
    return chunk


@transaction.atomic
def _bill_in_one_transaction(chunk_id: int, now: datetime) -> None:
    chunk = _pending_chunk(chunk_id)
    if chunk is None:
        return
    run = chunk.run
    period = Period(as_utc(run.period_start), as_utc(run.period_end))
    ids = list(
        unbilled(run.cycle, period.end)
        .filter(pk__gte=chunk.first_account, pk__lte=chunk.last_account)
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    done = bill_accounts(run.cycle, ids, period, now, run.pk)
    chunk.bills += len(done.bills)
    chunk.total_micros += done.total_micros
    chunk.error = "\n".join(done.problems)
    chunk.state = ChunkState.FAILED if done.problems else ChunkState.DONE
    chunk.finished_at = now
    chunk.save(update_fields=["bills", "total_micros", "error", "state", "finished_at"])


@transaction.atomic
def _note_failure(chunk_id: int, error: Exception) -> None:
    chunk = BillRunChunk.objects.select_for_update().get(pk=chunk_id)
    if chunk.state != ChunkState.PENDING:
        return
    chunk.error = f"{type(error).__name__}: {error}"
    chunk.sent_at = None
    if chunk.attempts >= settings.BILLING_CHUNK_ATTEMPTS:
        chunk.state = ChunkState.FAILED
    chunk.save(update_fields=["error", "sent_at", "state"])


def _close_activity(run: BillRun, status: int, error: str, now: datetime, result: str = "") -> None:
    if run.activity_id is not None:
        Activity.objects.filter(pk=run.activity_id).update(
            status=status, error=error, result=result[:500], finished_at=now
        )
