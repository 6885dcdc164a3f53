"""Load one file: read, charge, store and commit as one transaction, then move the file.

If the process dies: before the commit nothing has happened, and after it the file's content is known by its
hash, so that the next loader only moves it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import IO, Any, NamedTuple

from django.conf import settings
from django.db import DatabaseError, IntegrityError, OperationalError, transaction
from django.db.models import F

from apps.charging.services.usage import UsageWriting, usage_to_write, write_usage
from apps.kernel.errors import BssError
from apps.mediation.domain.checks import SuspendedRecordData
from apps.mediation.domain.waiting import DATABASE, FILE_SYSTEM
from apps.mediation.models import CdrFile
from apps.mediation.services.batches import (
    Batch,
    BatchTotals,
    DestinationIds,
    destination_ids,
    finish_batch,
    prepare_load_sequence,
)
from apps.mediation.services.cdr_writer import instant_of
from apps.mediation.services.file_contents import FileContents, NothingReadable, without_garbage_collection
from apps.mediation.services.file_folder import (
    FileState,
    content_hash,
    move_file,
    moved_name,
    shown_name,
    state_of,
)
from apps.mediation.services.identities import lock_usage
from apps.mediation.services.read_file import read_contents, reading_of
from apps.mediation.services.sources import FileReading, WrongSource
from apps.mediation.services.steps import OnStep, no_steps
from apps.rating.selectors import current_tariff
from apps.runtime import metrics
from apps.storage.bulk import database_instant
from apps.storage.dialect import named_lock
from apps.storage.retry import DEADLOCKS, is_rolled_back, retrying


class Outcome(StrEnum):
    """What became of a file."""

    LOADED = "loaded"
    REPEATED = "repeated"
    REFUSED = "refused"
    BUSY = "busy"
    CHANGING = "changing"
    GONE = "gone"
    FAILED = "failed"


class FileOutcome(NamedTuple):
    """What became of a file, and in which row that is written down."""

    path: Path
    outcome: Outcome
    totals: BatchTotals = BatchTotals()
    reasons: dict[str, int] = {}
    detail: str = ""
    # Why it waits (domain/waiting.py), if it FAILED.
    reason: str = ""
    source_id: int | None = None
    file_id: int | None = None
    moved_to: Path | None = None
    size_octets: int = 0

    @property
    def name(self) -> str:
        """The file's name, to show."""
        return shown_name(self.path)


# The contents of the file of that path, state and hash if they were prefetched.
Ready = Callable[[Path, FileState, str], tuple[FileReading, FileContents] | None]


def nothing_ready(path: Path, state: FileState, digest: str) -> None:
    """For a file that was not prefetched."""


def load_file(
    path: Path,
    *,
    now: datetime,
    on_step: OnStep = no_steps,
    dry_run: bool = False,
    ready: Ready = nothing_ready,
) -> FileOutcome:
    """Load the file and move it to the folder of the processed or of the refused ones.

    Never raises because of the file's content. A file that another loader has locked, that is still changing, or that
    could not be loaded for another reason than its content stays in place for the next run.
    """
    load = None
    try:
        with path.open("rb") as file:
            load = _FileLoad(path, file, now, on_step, dry_run, ready)
            return load.run()
    except FileNotFoundError:
        return FileOutcome(path, Outcome.GONE, detail="another loader has taken it")
    except WrongSource as error:
        return _failed(path, str(error), error.code, error.source_id)
    except BssError as error:
        return _failed(path, str(error), error.code, load.source_id if load is not None else None)
    except (OSError, DatabaseError) as error:
        reason = FILE_SYSTEM if isinstance(error, OSError) else DATABASE
        return _failed(
            path, f"{type(error).__name__}: {error}", reason, load.source_id if load is not None else None
        )


RECORDS = metrics.counter("cdr_records", "Records of loaded files.", ("outcome",))
FILES = metrics.counter("cdr_files", "Files that were loaded.")


def _measure(totals: BatchTotals) -> None:
    FILES.inc()
    for outcome in ("rated", "suspended", "duplicates", "left_out"):
        RECORDS.labels(outcome).inc(getattr(totals, outcome))


def _failed(path: Path, detail: str, reason: str, source_id: int | None) -> FileOutcome:
    return FileOutcome(path, Outcome.FAILED, detail=detail, reason=reason, source_id=source_id)


def prepare_to_load() -> None:
    """Read what the first file of a process waits for: the tariff, and the ids of its destinations."""
    version_id, tariff, _ = current_tariff()
    destination_ids(version_id, tariff)
    prepare_load_sequence()


class _FileLoad:
    def __init__(
        self, path: Path, file: IO[bytes], now: datetime, on_step: OnStep, dry_run: bool, ready: Ready
    ) -> None:
        self.path, self.file, self.now, self.on_step, self.dry_run = path, file, now, on_step, dry_run
        self.ready = ready
        self.source_id: int | None = None
        self.state: FileState = state_of(os.fstat(file.fileno()))
        self.digest = content_hash(file)

    def run(self) -> FileOutcome:
        self.on_step("hashed", 0, self.state.size)
        if self.dry_run:
            return self._load()
        # The unique hash of a CdrFile keeps a file from being loaded twice; this lock spares a second loader the wait.
        with named_lock(f"cdr:{self.digest}") as mine:
            if not mine:
                return self._outcome(Outcome.BUSY, detail="another loader has locked it")
            return self._load()

    def _load(self) -> FileOutcome:
        known = CdrFile.objects.filter(content_hash=self.digest, state=CdrFile.State.LOADED).first()
        if known is not None:
            return self._finish_known(known)
        ready = self.ready(self.path, self.state, self.digest)
        if ready is not None:
            with ready[1]:
                self.on_step("read", self.state.size, self.state.size)
                return self._store_unchanged(*ready)
        reading: FileReading | None = None
        with FileContents() as contents:
            try:
                reading = reading_of(self.path.name, self.file, dry_run=self.dry_run)
                read_contents(
                    self.file, self.state.size, reading, contents, now=self.now, on_step=self.on_step
                )
            except NothingReadable as error:
                return self._refuse(str(error), reading)
            return self._store_unchanged(reading, contents)

    def _store_unchanged(self, reading: FileReading, contents: FileContents) -> FileOutcome:
        if state_of(self.path.stat()) != self.state:
            return self._outcome(Outcome.CHANGING, detail="it is still being written")
        return self._store(reading, contents)

    # --- Storing ---

    def _store(self, reading: FileReading, contents: FileContents) -> FileOutcome:
        self.source_id = reading.source.pk or None
        version_id, tariff, rater = current_tariff()
        destinations = destination_ids(version_id, tariff, dry_run=self.dry_run)
        if not self.dry_run:
            prepare_load_sequence()
        careful = contents.repeats

        def load() -> FileOutcome:
            nonlocal careful
            try:
                with without_garbage_collection(), transaction.atomic():
                    file_row = self._claim(reading, version_id)
                    batch = self._run_batch(file_row, rater, destinations, contents, careful)
                    if self.dry_run:
                        transaction.set_rollback(True)
                        return self._dry(batch)
                    self._finish(file_row, batch, contents)
            except IntegrityError:
                # Some record is there already, or another loader has just stored it.
                careful = True
                raise
            self.on_step("committed", batch.totals.records, batch.totals.records)
            _measure(batch.totals)
            return self._done(file_row, batch)

        try:
            # No retry after a lock wait timeout: the file is left for the next run.
            return retrying(load, patience_s=0, conflicts=True)
        except _ClaimedByAnother:
            return self._outcome(Outcome.BUSY, detail="another loader has just loaded it")
        except IntegrityError as error:
            detail = f"the database did not take all of its rows, {DEADLOCKS} times: {error}"
            return _failed(self.path, detail, DATABASE, self.source_id)
        except OperationalError as error:
            if not is_rolled_back(error):
                raise
            return self._outcome(Outcome.BUSY, detail=f"other work holds what it needs: {error}")

    def _claim(self, reading: FileReading, version_id: int) -> CdrFile:
        """The file's row, made first: its hash is unique, so a second loader of the same content ends here."""
        file_row = CdrFile(
            kind=CdrFile.Kind.FILE,
            format=reading.format.name,
            preamble=reading.facts.preamble,
            name=shown_name(self.path)[:255],
            source=reading.source if reading.source.pk else None,
            content_hash=self.digest,
            size_octets=self.state.size,
            file_sequence=_stored_integer(reading.facts.sequence),
            state=CdrFile.State.LOADED,
            tariff_version_id=version_id,
            taken_at=self.now,
        )
        if self.dry_run:
            file_row.pk = 0
            return file_row
        refused = CdrFile.objects.select_for_update().filter(content_hash=self.digest).first()
        if refused is not None:
            if refused.state == CdrFile.State.LOADED:
                raise _ClaimedByAnother
            # It was refused before and is taken now: a source's options were mended, say.
            file_row.pk = refused.pk
        try:
            file_row.save()
        except IntegrityError as error:
            raise _ClaimedByAnother from error
        self.on_step("claimed", 0, 0)
        return file_row

    def _run_batch(
        self,
        file_row: CdrFile,
        rater: Any,
        destinations: DestinationIds,
        contents: FileContents,
        careful: bool,
    ) -> Batch:
        first, last = contents.records.bounds() or (0, 0)
        # At a retry they are read again: they may be outdated.
        known, contents.holdings = contents.holdings, None
        book, mismatches = lock_usage(contents.identities, instant_of(first), instant_of(last), known)
        writing: list[UsageWriting] = []
        batch = Batch(
            file_row.pk,
            rater,
            book,
            destinations,
            now_text=database_instant(self.now),
            mismatches=mismatches,
            careful=careful,
            modes=contents.modes,
            dry_run=self.dry_run,
            on_stored=lambda done: self.on_step("stored", done, contents.count),
            after_charging=lambda: writing.append(usage_to_write(book, f"cdr-file:{file_row.pk}")),
        )
        batch.totals.left_out = contents.left_out
        batch.run(contents.records, (SuspendedRecordData(*values) for values in contents.suspended))
        if not self.dry_run:
            write_usage(writing[0])
            batch.save_runs(f"cdr-file:{file_row.pk}")
        self.on_step("charged", batch.totals.records, batch.totals.records)
        return batch

    def _finish(self, file_row: CdrFile, batch: Batch, contents: FileContents) -> None:
        totals = batch.totals
        file_row.records, file_row.rated = totals.records, totals.rated
        file_row.duplicates, file_row.suspended = totals.duplicates, totals.suspended
        file_row.left_out, file_row.cost_micros = totals.left_out, totals.cost_micros
        bounds = contents.records.bounds()
        if bounds is not None:
            file_row.first_start, file_row.last_start = instant_of(bounds[0]), instant_of(bounds[1])
        file_row.loaded_at = self.now
        self.on_step("committing", totals.records, totals.records)
        finish_batch(file_row)

    # --- Afterwards ---

    def _dry(self, batch: Batch) -> FileOutcome:
        return self._outcome(
            Outcome.LOADED,
            totals=batch.totals,
            reasons=dict(batch.reasons),
            detail="nothing was written (dry run)",
        )

    def _done(self, file_row: CdrFile, batch: Batch) -> FileOutcome:
        moved = self._move(settings.CDR_PROCESSED_DIR, "done")
        return self._outcome(
            Outcome.LOADED,
            totals=batch.totals,
            reasons=dict(batch.reasons),
            file_id=file_row.pk,
            moved_to=moved,
        )

    def _finish_known(self, known: CdrFile) -> FileOutcome:
        """The content is in already: after a crash before the move, or because it was sent again."""
        detail = f"the same content was loaded as {known.name}"
        if self.dry_run:
            return self._outcome(Outcome.REPEATED, detail=detail, file_id=known.pk)
        left_over = (
            known.name == shown_name(self.path)[:255]
            and not (settings.CDR_PROCESSED_DIR / moved_name(self.path, "done")).exists()
        )
        moved = self._move(settings.CDR_PROCESSED_DIR, "done")
        if moved is None:
            return self._outcome(Outcome.GONE, detail="another loader has moved it")
        if not left_over:
            CdrFile.objects.filter(pk=known.pk).update(repeats=F("repeats") + 1)
        return self._outcome(Outcome.REPEATED, detail=detail, file_id=known.pk, moved_to=moved)

    def _refuse(self, reason: str, reading: FileReading | None) -> FileOutcome:
        if self.dry_run:
            return self._outcome(Outcome.REFUSED, detail=reason)
        source = reading.source if reading is not None else None
        row, _ = CdrFile.objects.update_or_create(
            content_hash=self.digest,
            defaults={
                "name": shown_name(self.path)[:255],
                "format": reading.format.name if reading is not None else "",
                "source": source,
                "size_octets": self.state.size,
                "state": CdrFile.State.REFUSED,
                "error": reason,
                "taken_at": self.now,
            },
        )
        moved = self._move(settings.CDR_ERROR_DIR, "error")
        return self._outcome(Outcome.REFUSED, detail=reason, file_id=row.pk, moved_to=moved)

    def _move(self, folder: Path, suffix: str) -> Path | None:
        moved = move_file(
            self.path, folder, suffix, self.digest, self.state, lambda step: self.on_step(step, 0, 0)
        )
        self.on_step("moved", 0, 0)
        return moved

    def _outcome(self, outcome: Outcome, **values: Any) -> FileOutcome:
        return FileOutcome(self.path, outcome, size_octets=self.state.size, **values)


class _ClaimedByAnother(Exception):
    """Another loader has committed the same content."""


def _stored_integer(value: int | None) -> int | None:
    return value if value is not None and -(1 << 63) <= value < 1 << 63 else None
