"""Load what lies in the folder of new files, one after the other; several intakes at once share the work."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from itertools import pairwise
from pathlib import Path

import structlog

from apps.kernel.errors import BssError
from apps.mediation.domain.waiting import INTERNAL_ERROR, LOADER_DIED
from apps.mediation.services.file_contents import FileContents
from apps.mediation.services.file_folder import FileState, ready_files, shown_name
from apps.mediation.services.load_file import FileOutcome, Outcome, load_file, prepare_to_load
from apps.mediation.services.prefetch import WORTHWHILE_ALONE_OCTETS, Prefetch
from apps.mediation.services.sources import FileReading
from apps.mediation.services.steps import OnStep, no_steps
from apps.mediation.services.waiting import forget_gone, note_waiting
from apps.runtime.pool import process_pool, results_of
from apps.runtime.start import Role

log = structlog.get_logger(__name__)

Clock = Callable[[], datetime]


def files_meant_by(paths: Sequence[Path]) -> list[Path]:
    """The files themselves, and of folders the files that are ready."""
    found: list[Path] = []
    for path in paths:
        found.extend(ready_files(path) if path.is_dir() else [path])
    return list(dict.fromkeys(found))


def load_files(
    files: Sequence[Path],
    clock: Clock,
    *,
    on_step: Callable[[Path], OnStep] = lambda path: no_steps,
    dry_run: bool = False,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[FileOutcome]:
    """Load each file; ``stop`` is asked between two. An error of one file does not keep the others waiting."""
    following = dict(pairwise(files))
    some_wait = not dry_run and forget_gone()
    with Prefetch() as prefetch:

        def ready(path: Path, state: FileState, digest: str) -> tuple[FileReading, FileContents] | None:
            contents = prefetch.take(path, state, digest)
            if path in following and not dry_run and not stop():
                prefetch.ask(following[path], clock())
            return contents

        if files and not dry_run and not stop() and prefetch.ask(files[0], clock(), WORTHWHILE_ALONE_OCTETS):
            # Loading the file raises the same error, which is reported then.
            with suppress(BssError):
                prepare_to_load()
        for path in files:
            if stop():
                return
            try:
                outcome = load_file(path, now=clock(), on_step=on_step(path), dry_run=dry_run, ready=ready)
            except Exception as error:
                detail = f"{type(error).__name__}: {error}"
                outcome = FileOutcome(path, Outcome.FAILED, detail=detail, reason=INTERNAL_ERROR)
                log.error("cdr_file_failed", file=shown_name(path), traceback=traceback.format_exc())
            if outcome.outcome is Outcome.FAILED and not dry_run:
                note_waiting(outcome, clock())
                some_wait = True
            elif some_wait:
                some_wait = forget_gone()
            yield outcome


def log_outcome(outcome: FileOutcome) -> None:
    """Log the outcome, for callers without a terminal."""
    totals = outcome.totals
    if outcome.outcome is Outcome.LOADED:
        log.info(
            "cdr_file_loaded",
            file=outcome.name,
            file_id=outcome.file_id,
            records=totals.records,
            rated=totals.rated,
            duplicates=totals.duplicates,
            suspended=totals.suspended,
            left_out=totals.left_out,
        )
    elif outcome.outcome in (Outcome.REFUSED, Outcome.FAILED):
        log.warning(f"cdr_file_{outcome.outcome}", file=outcome.name, reason=outcome.detail)
    else:
        log.debug(f"cdr_file_{outcome.outcome}", file=outcome.name, reason=outcome.detail)


def load_files_in_processes(
    files: Sequence[Path], clock: Clock, workers: int, *, dry_run: bool = False
) -> Iterator[FileOutcome]:
    """As :func:`load_files`, by ``workers`` processes; ``clock`` is a function that they can import."""
    load_one = partial(_load_one, clock=clock, dry_run=dry_run)
    new_pool = partial(process_pool, role=Role.LOADER)
    for path, outcome in results_of(load_one, list(dict.fromkeys(files)), workers, new_pool):
        died = "the process that had it died; it is taken up next time"
        if outcome is None:
            outcome = FileOutcome(path, Outcome.FAILED, detail=died, reason=LOADER_DIED)
            if not dry_run:
                note_waiting(outcome, clock())
        yield outcome


def _load_one(path: Path, clock: Clock, dry_run: bool) -> FileOutcome:
    (outcome,) = load_files([path], clock, dry_run=dry_run)
    return outcome
