"""Settle records in suspense: correct, discard, or rate them again (recycle)."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction

from apps.charging.services.usage import save_usage_book
from apps.kernel.errors import BssError, Conflict, NotFound
from apps.mediation.domain.checks import CheckedRecord, RecordChecker, SuspendedRecordData
from apps.mediation.domain.corrections import corrected, read_corrections, record_of_corrections
from apps.mediation.domain.identities import imsi_of
from apps.mediation.domain.records import Reject, UsageRecord
from apps.mediation.domain.run_charges import request_type_of
from apps.mediation.formats import format_named
from apps.mediation.formats.messages import message_of
from apps.mediation.models import CdrFile, Source, SuspendedRecord
from apps.mediation.services.batches import (
    Batch,
    DestinationIds,
    destination_ids,
    finish_batch,
    prepare_load_sequence,
)
from apps.mediation.services.cdr_writer import CdrWriter, instant_of
from apps.mediation.services.identities import lock_usage
from apps.mediation.services.read_file import record_checker
from apps.mediation.services.sources import source_options
from apps.rating.domain import Rater
from apps.rating.selectors import current_tariff
from apps.storage.bulk import database_instant
from apps.storage.retry import retrying

RECORDS_A_BATCH = 10_000
_State = SuspendedRecord.State


@dataclass
class Recycled:
    """The outcome of recycling. ``reasons`` counts the records that stay in suspense, by reason."""

    rated: int = 0
    duplicates: int = 0
    refused: int = 0
    cost_micros: int = 0
    reasons: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, other: Recycled) -> None:
        self.rated += other.rated
        self.duplicates += other.duplicates
        self.refused += other.refused
        self.cost_micros += other.cost_micros
        for reason, count in other.reasons.items():
            self.reasons[reason] += count


@transaction.atomic
def correct(record_id: int, corrections: Mapping[str, Any]) -> SuspendedRecord:
    """Correct values that were read; the corrections are used when the record is recycled.

    Names are those of ``domain/corrections.py``; an empty value takes a former correction back. Raises
    InvalidInputs, NotFound, and Conflict for a record that is settled already.
    """
    record = SuspendedRecord.objects.select_for_update().filter(pk=record_id).first()
    if record is None:
        raise NotFound(f"there is no suspended record {record_id}")
    if record.state != _State.OPEN:
        raise Conflict(f"the record is settled already ({record.get_state_display().lower()})")
    kept = {name: value for name, value in record.corrections.items() if name not in corrections}
    given = {name: value for name, value in corrections.items() if value not in ("", None)}
    record.corrections = kept | read_corrections(given)
    record.save(update_fields=["corrections"])
    return record


@transaction.atomic
def discard(record_ids: Collection[int], *, now: datetime, by: str) -> int:
    """Discard records: they stay, marked as discarded. Returns how many were still open."""
    records = SuspendedRecord.objects.select_for_update().filter(pk__in=record_ids, state=_State.OPEN)
    count = 0
    for record in records.order_by("pk"):
        record.state, record.settled_at, record.settled_by = _State.DISCARDED, now, by
        record.save(update_fields=["state", "settled_at", "settled_by"])
        count += 1
    return count


def recycle(
    record_ids: Collection[int],
    *,
    now: datetime,
    by: str,
    on_progress: Callable[[int], None] = lambda done: None,
) -> Recycled:
    """Rate open records of suspense again, with their corrections, as files are rated: in the order of their start.

    Each portion is a CdrFile of its own, committed with what it settles. A record that cannot be rated stays, with its
    newest reason. Two people who recycle the same records settle each once.
    """
    result = Recycled()
    ordered = sorted(set(record_ids))
    if not ordered:
        return result
    tariff = current_tariff()
    destinations = destination_ids(tariff.version_id, tariff.tariff)
    prepare_load_sequence()
    for start in range(0, len(ordered), RECORDS_A_BATCH):
        portion = _Portion(tariff.version_id, tariff.rater, destinations, now, by)
        ids = ordered[start : start + RECORDS_A_BATCH]
        # A loader may have committed one of these records since they were looked up.
        result.add(retrying(partial(portion.recycle, ids), conflicts=True))
        on_progress(min(start + RECORDS_A_BATCH, len(ordered)))
    return result


class _RecyclingBatch(Batch):
    """A batch whose records are in suspense already: records refused again stay there, and none is added."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, careful=True, **options)
        self.refused: list[SuspendedRecordData] = []

    def _suspend(self, writer: CdrWriter, records: Sequence[SuspendedRecordData]) -> None:
        self.refused.extend(records)


class _Portion:
    """The records of one transaction. A record's place in its batch (``offset``) is the id of its row in suspense."""

    def __init__(
        self, version_id: int, rater: Rater, destinations: DestinationIds, now: datetime, by: str
    ) -> None:
        self.version_id, self.rater, self.destinations = version_id, rater, destinations
        self.now, self.by = now, by
        self._checkers: dict[int, RecordChecker] = {}
        self._options: dict[tuple[int | None, str], Any] = {}
        self._default_source: Source | None = None

    @transaction.atomic
    def recycle(self, ids: Sequence[int]) -> Recycled:
        """May be called again after it was rolled back."""
        result = Recycled()
        rows = {
            row.pk: row
            # Not joined: MariaDB cannot lock one table of a join alone, and the files' rows are not to be locked.
            for row in SuspendedRecord.objects.select_for_update()
            .filter(pk__in=ids, state=_State.OPEN)
            .prefetch_related("file__source", "source")
            .order_by("pk")
        }
        if not rows:
            return result
        checked: list[CheckedRecord] = []
        refused: list[SuspendedRecordData] = []
        for row in rows.values():
            item = self._check(row)
            if isinstance(item, SuspendedRecordData):
                refused.append(item)
            else:
                checked.append(item)
        settled: dict[int, bool] = {}
        file_row = None
        if checked:
            checked.sort()
            file_row, batch = self._rate(checked, settled)
            refused += batch.refused
            result.cost_micros += batch.totals.cost_micros
        self._settle(rows, settled, refused, file_row)
        result.rated += sum(settled.values())
        result.duplicates += len(settled) - sum(settled.values())
        result.refused += len(refused)
        for record in refused:
            result.reasons[record.reason] += 1
        return result

    def _check(self, row: SuspendedRecord) -> CheckedRecord | SuspendedRecordData:
        raw = bytes(row.raw)
        try:
            record = self._read(row, raw)
        except BssError as error:
            return SuspendedRecordData(row.pk, row.reason, str(error), raw)
        if isinstance(record, Reject):
            return SuspendedRecordData(row.pk, record.reason, record.message, raw)
        checker = self._checker(row)
        item = checker.check(record._replace(offset=row.pk))
        if row.corrections and not isinstance(item, SuspendedRecordData):
            message = message_of(record, checker.services[record.service])
            item = (*item[:-1], message)
        return item

    def _read(self, row: SuspendedRecord, raw: bytes) -> UsageRecord | Reject:
        format_ = format_named(row.file.format)
        source = row.file.source
        key = (source.pk if source else None, format_.name)
        if key not in self._options:
            self._options[key] = source_options(source, format_) if source else format_.options({})
        record = format_.read_record(raw, row.file.preamble, self._options[key])
        if isinstance(record, Reject):
            return record_of_corrections(row.corrections, raw) or record
        return corrected(record, row.corrections)

    def _checker(self, row: SuspendedRecord) -> RecordChecker:
        source_id = row.source_id or row.file.source_id
        if source_id is None:
            raise BssError("the record's file has no source")
        if source_id not in self._checkers:
            self._checkers[source_id] = record_checker(source_id, self.now)
        return self._checkers[source_id]

    def _rate(
        self, records: Sequence[CheckedRecord], settled: dict[int, bool]
    ) -> tuple[CdrFile | None, _RecyclingBatch]:
        ids = ",".join(str(record[1]) for record in records)
        identity = f"recycled {self.now.isoformat()} {ids}"
        file_row = CdrFile.objects.create(
            kind=CdrFile.Kind.RECYCLED,
            name=f"recycled {self.now:%Y-%m-%d %H:%M:%S}",
            content_hash=hashlib.sha256(identity.encode()).hexdigest(),
            state=CdrFile.State.LOADED,
            tariff_version_id=self.version_id,
            taken_at=self.now,
        )
        first, last = instant_of(records[0][0]), instant_of(records[-1][0])
        identities = {(record[5], imsi_of(record)) for record in records}
        book, mismatches = lock_usage(identities, first, last)
        batch = _RecyclingBatch(
            file_row.pk,
            self.rater,
            book,
            self.destinations,
            now_text=database_instant(self.now),
            mismatches=mismatches,
            modes=any(request_type_of(record) for record in records),
            on_charged=lambda record, rated: settled.__setitem__(record[1], rated),
        )
        totals = batch.run(records, ())
        save_usage_book(book, f"cdr-file:{file_row.pk}")
        batch.save_runs(f"cdr-file:{file_row.pk}")
        if not settled:
            file_row.delete()
            return None, batch
        file_row.records, file_row.rated, file_row.duplicates = (
            totals.records,
            totals.rated,
            totals.duplicates,
        )
        file_row.cost_micros = totals.cost_micros
        file_row.first_start, file_row.last_start, file_row.loaded_at = first, last, self.now
        return file_row, batch

    def _settle(
        self,
        rows: Mapping[int, SuspendedRecord],
        settled: Mapping[int, bool],
        refused: Sequence[SuspendedRecordData],
        file_row: CdrFile | None,
    ) -> None:
        for pk, rated in settled.items():
            row = rows[pk]
            row.state = _State.RECYCLED if rated else _State.DUPLICATE
            row.settled_at, row.settled_by, row.settled_in = self.now, self.by, file_row
        for record in refused:
            row = rows[record.byte_offset]
            row.reason, row.message = record.reason, record.message
        for row in rows.values():
            row.attempts += 1
        SuspendedRecord.objects.bulk_update(
            rows.values(),
            ["state", "settled_at", "settled_by", "settled_in", "reason", "message", "attempts"],
            batch_size=500,
        )
        if file_row is not None:
            finish_batch(file_row)
