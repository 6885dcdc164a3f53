"""The bill formatter: claim a few bills, load and render them, write their files, commit; again until none is due.

Order of steps, so that a process may die between any two of them: the file is complete and safe on disk under a
temporary name; the bill is locked and still due; the file gets its name; the document's row and the bill's status
commit. Died before the commit: the bill is due and all is repeated, over the same name. The second process to the
lock finds the bill no longer due and throws its own file away.
"""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from django.conf import settings
from django.db import DatabaseError

from apps.invoicing.domain.bill_data import BillData
from apps.invoicing.domain.context_builder import build_context
from apps.invoicing.domain.naming import current_name, document_folder
from apps.invoicing.selectors.bill_data import Batch
from apps.invoicing.services import claims
from apps.invoicing.services.claims import EVERYTHING, Choice, Claim
from apps.invoicing.services.commits import Failure, Rendered, commit_failures, commit_rendered, keep_former
from apps.invoicing.services.document_files import (
    FolderUnusable,
    path_of,
    write_temporary,
)
from apps.invoicing.services.documents import bill_pdf
from apps.invoicing.services.engines import EngineUnusable, PdfEngine
from apps.invoicing.services.owners import this_process
from apps.kernel.errors import BssError, NotFound
from apps.storage.retry import retrying

log = structlog.get_logger(__name__)

Clock = Callable[[], datetime]
# (step, bill id). In order, for each bill of a batch: loaded, rendered, written, kept (re-issues: the former one); then
# for each: placed; then, with the number of documents in the bill id's place: committing, committed.
OnStep = Callable[[str, int], None]
# A record takes less than this to lay out.
PATIENCE_A_RECORD = timedelta(milliseconds=20)
LONG_DOCUMENT_RECORDS = 500


@dataclass(slots=True)
class Outcome:
    """What became of the bills that were taken in hand."""

    written: list[int] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)
    """Bill → why. It is tried again later, or was given up."""


def no_steps(step: str, bill_id: int) -> None:
    """For callers that do not show progress."""


def format_batch(
    engine: PdfEngine,
    clock: Clock,
    *,
    most: int = 0,
    choice: Choice = EVERYTHING,
    on_step: OnStep = no_steps,
) -> Outcome:
    """Claim, render and commit one batch; an empty outcome if nothing was due.

    A bill that cannot be rendered does not hold up the others. Raises EngineUnusable and FolderUnusable, which are no
    bill's fault, after giving back the claims.
    """
    owner = this_process()
    claimed = claims.claim(owner, most or settings.INVOICE_BATCH, clock(), choice)
    if not claimed:
        return Outcome()
    ids = [claim.bill_id for claim in claimed]
    try:
        return _format_claimed(claimed, engine, clock, on_step)
    except (BssError, DatabaseError, OSError, KeyboardInterrupt, SystemExit):
        with suppress(DatabaseError):
            retrying(lambda: claims.release(owner, ids))
        raise


def _format_claimed(claimed: Sequence[Claim], engine: PdfEngine, clock: Clock, on_step: OnStep) -> Outcome:
    outcome = Outcome()
    rendered: list[Rendered] = []
    failures: list[Failure] = []
    batch = Batch([claim.bill_id for claim in claimed])
    with fewer_collections():
        for claim in claimed:
            try:
                rendered.append(_render(batch, claim, engine, clock, on_step))
            except (EngineUnusable, FolderUnusable, DatabaseError):
                _throw_away(rendered)
                raise
            except Exception as error:  # An error in one bill must not hold up the others.
                failures.append(Failure(claim, _words_for(error)))
                log.error("bill not rendered", bill=claim.bill_id, attempt=claim.attempts, exc_info=error)
    now = clock()
    try:
        outcome.written = commit_rendered(rendered, engine.name, now, on_step)
    except BaseException:
        _throw_away(rendered)
        raise
    commit_failures(failures, now)
    outcome.failed = {failure.claim.bill_id: failure.error for failure in failures}
    return outcome


def _render(batch: Batch, claim: Claim, engine: PdfEngine, clock: Clock, on_step: OnStep) -> Rendered:
    try:
        bill = batch.bill_data(claim.bill_id)
    except KeyError:
        raise NotFound(f"there is no bill {claim.bill_id}") from None
    records = sum(line.records for line in bill.lines)
    if records > LONG_DOCUMENT_RECORDS:
        until = clock() + timedelta(seconds=settings.INVOICE_CLAIM_S) + PATIENCE_A_RECORD * records
        claims.extend(this_process(), [claim.bill_id], until)
    context = build_context(bill, batch.history(claim.bill_id))
    on_step("loaded", claim.bill_id)
    pdf = bill_pdf(context, engine)
    on_step("rendered", claim.bill_id)
    relative = _relative_path(bill, batch)
    final = path_of(relative)
    temporary = write_temporary(final.parent, final.name, pdf)
    on_step("written", claim.bill_id)
    if claim.requested_at is not None:
        try:
            keep_former(claim.bill_id)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        on_step("kept", claim.bill_id)
    return Rendered(claim, bill.revision, relative, temporary, hashlib.sha256(pdf).hexdigest(), len(pdf))


def _relative_path(bill: BillData, batch: Batch) -> str:
    cycle = batch.bills[bill.id].cycle
    folder = document_folder(bill.period_start, bill.period_end, bill.cycle_zone, cycle.number)
    return f"{folder}/{current_name(bill.id)}"


def _throw_away(rendered: Sequence[Rendered]) -> None:
    for document in rendered:
        with suppress(OSError):
            Path(document.temporary).unlink()


def _words_for(error: Exception) -> str:
    return str(error) if isinstance(error, BssError) else f"{type(error).__name__}: {error}"


@contextmanager
def fewer_collections() -> Iterator[None]:
    """Let the collector of cycles look less often: a layout makes a hundred thousand objects that all live until its
    end, and looking through them again and again takes a tenth of the time."""
    before = gc.get_threshold()
    gc.set_threshold(50_000, 20, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)
