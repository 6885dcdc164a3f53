"""Charge checked records in their order and store them under one CdrFile, all in the caller's transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.models import F, Max

from apps.charging.domain.modes import NOT_CHARGED
from apps.charging.domain.usage_book import ChargedTo, UsageBook
from apps.events.services.publishing import publish
from apps.kernel.errors import BssError
from apps.mediation.domain.checks import CheckedRecord, SuspendedRecordData, suspended
from apps.mediation.domain.identities import Mismatches
from apps.mediation.domain.published import FILE_LOADED
from apps.mediation.domain.records import COST_OUT_OF_RANGE, MOST_STORED
from apps.mediation.domain.run_charges import RunCharge
from apps.mediation.models import Cdr, CdrFile, CdrFileDay, LoadSequence, RatedDestination
from apps.mediation.services.cdr_writer import (
    CDR_COLUMNS,
    CDR_TABLE,
    DAY_S,
    EPOCH,
    RUN_COLUMNS,
    SUSPENSE_COLUMNS,
    SUSPENSE_TABLE,
    CdrWriter,
    StartTexts,
    clock_texts,
    escaped,
    suspense_rows,
)
from apps.mediation.services.derived import BatchRuns, derived_chargers
from apps.rating.domain import Rater, Tariff
from apps.rating.domain.runs import DEFAULT_RUN
from apps.storage.dialect import loads_text

CHUNK_RECORDS = 4_000
# The first chunk's charging overlaps with nothing, so it is small; so are some after it, until enough is charged for
# the storing never to wait. Few sizes, because SQLite prepares a statement for each.
FIRST_CHUNK_RECORDS, CHUNKS_A_SIZE = 500, 4
LOAD_SEQUENCE_ID = 1


@dataclass(slots=True)
class BatchTotals:
    """What became of a batch's records. Lines that the source's filter ``left_out`` are not among them."""

    rated: int = 0
    duplicates: int = 0
    suspended: int = 0
    left_out: int = 0
    cost_micros: int = 0

    @property
    def records(self) -> int:
        return self.rated + self.duplicates + self.suspended


class DestinationIds(dict[str, int]):
    """Ids of destination names; rows of names not met before are made."""

    def prepare(self, names: Iterable[str]) -> None:
        """Make sure of these names now, so that a batch under way does not have to.

        Called outside a batch's transaction: two loaders that meet a new name would wait for each other.
        """
        missing = sorted(set(names) - self.keys())
        for start in range(0, len(missing), 1_000):
            portion = missing[start : start + 1_000]
            known = dict(RatedDestination.objects.filter(tag__in=portion).values_list("tag", "pk"))
            new = [RatedDestination(tag=name) for name in portion if name not in known]
            if new:
                RatedDestination.objects.bulk_create(new, ignore_conflicts=True)
                known = dict(RatedDestination.objects.filter(tag__in=portion).values_list("tag", "pk"))
            self.update(known)


_destinations_of_version: dict[tuple[Any, int], DestinationIds] = {}


def destination_ids(version_id: int, tariff: Tariff, *, dry_run: bool = False) -> DestinationIds:
    """Ids of all destinations that the tariff names, cached while it is in use."""
    if dry_run:
        unknown = _NoIds()
        unknown.prepare(_names_in(tariff))
        return unknown
    key = (connection.settings_dict["NAME"], version_id)
    known = _destinations_of_version.get(key)
    # A database that was restored from an earlier state may lack rows that were there.
    if known is None or not RatedDestination.objects.filter(pk=known["*any"], tag="*any").exists():
        known = DestinationIds()
        known.prepare(_names_in(tariff))
        _destinations_of_version.clear()
        _destinations_of_version[key] = known
    return known


def _names_in(tariff: Tariff) -> set[str]:
    return {"*any", *(key.id for keys in tariff.prefixes.values() for key in keys)}


class _NoIds(DestinationIds):
    """For dry runs: every name has an id, and no row is made."""

    def prepare(self, names: Any) -> None:
        self.update(dict.fromkeys(names, 0))


class Batch:
    """One CdrFile's records on their way into the database.

    ``careful`` looks up which records are there already, ``dry_run`` in addition stores nothing. Without
    ``careful``, a record that is there already makes the database refuse it (IntegrityError), and the
    caller takes back the whole batch and begins again, carefully. Records that ``mismatches`` finds are put into
    suspense. ``after_charging`` is called while the last rows are stored, and keeps away from the database.
    """

    def __init__(
        self,
        file_id: int,
        rater: Rater,
        book: UsageBook,
        destinations: DestinationIds,
        *,
        now_text: str,
        mismatches: Mismatches,
        careful: bool = False,
        modes: bool = False,
        dry_run: bool = False,
        on_stored: Callable[[int], None] = lambda count: None,
        on_charged: Callable[[CheckedRecord, bool], None] | None = None,
        after_charging: Callable[[], None] = lambda: None,
    ) -> None:
        self.file_id = file_id
        self.rater, self.book, self.destinations = rater, book, destinations
        self.careful, self.dry_run, self.modes = careful or dry_run, dry_run, modes
        self.now_text, self.mismatches = now_text, mismatches
        self.on_stored, self.on_charged, self.after_charging = on_stored, on_charged, after_charging
        self.totals = BatchTotals()
        self.reasons: dict[str, int] = defaultdict(int)
        # Charges by (day since the epoch in UTC, service, price plan).
        self._day_costs: dict[tuple[int, int, int], int] = {}
        self._after_cdr = 0
        self._texts = StartTexts()
        self._as_text = loads_text(connections[DEFAULT_DB_ALIAS])
        # What is not charged as usual; None if there is nothing of the kind.
        self.runs: BatchRuns | None = None
        # Hashes of the records of a dry run so far: a tenth of the memory of the ids themselves.
        self._seen: set[int] = set()

    def run(self, records: Iterable[CheckedRecord], suspended: Iterable[SuspendedRecordData]) -> BatchTotals:
        """Charge and store ``records`` in the order given, and put ``suspended`` into suspense."""
        if not self.dry_run:
            self._after_cdr = newest_cdr_id()
        chargers = derived_chargers()
        # The wrapper itself: django.db.connection would be another one in the writer's thread.
        with CdrWriter(connections[DEFAULT_DB_ALIAS]) as writer:
            if chargers or self.modes or self.book.has_modes:
                self.runs = BatchRuns(chargers, self.rater, self.book, writer.wait, modes=self.modes)
            for portion in _portions(suspended):
                self._suspend(writer, portion)
            for chunk in _portions(records):
                if self.careful:
                    writer.wait()
                    chunk = self._without_known(chunk)
                mismatched: list[SuspendedRecordData] = []
                if self.mismatches:
                    chunk, mismatched = self.mismatches.split(chunk)
                rows, run_rows, refused = self._charge(writer, chunk)
                refused += mismatched
                if rows and not self.dry_run:
                    writer.put(CDR_TABLE, CDR_COLUMNS, rows)
                if run_rows and not self.dry_run:
                    writer.put(CDR_TABLE, RUN_COLUMNS, run_rows)
                if refused:
                    self._suspend(writer, refused)
                self.totals.rated += len(rows)
                self.on_stored(self.totals.records)
            self.after_charging()
            writer.wait()
        if not self.dry_run:
            self._save_day_costs()
        return self.totals

    def _save_day_costs(self) -> None:
        last_cdr = newest_cdr_id()
        CdrFileDay.objects.bulk_create(
            [
                CdrFileDay(
                    file_id=self.file_id,
                    day=(EPOCH + timedelta(days=day)).date(),
                    service_id=service_id,
                    price_plan_id=plan_id,
                    cost_micros=cost,
                    after_cdr=self._after_cdr,
                    last_cdr=last_cdr,
                )
                for (day, service_id, plan_id), cost in self._day_costs.items()
            ],
            batch_size=1_000,
        )

    def _suspend(self, writer: CdrWriter, records: Sequence[SuspendedRecordData]) -> None:
        self.totals.suspended += len(records)
        for record in records:
            self.reasons[record.reason] += 1
        if not self.dry_run:
            rows = suspense_rows(self._as_text, self.file_id, records, self.now_text, self._texts)
            writer.put(SUSPENSE_TABLE, SUSPENSE_COLUMNS, rows)

    def _without_known(self, chunk: list[CheckedRecord]) -> list[CheckedRecord]:
        """The records that neither the database nor this batch has had before."""
        known = known_records({(record[2], record[3]) for record in chunk})
        fresh = []
        for record in chunk:
            key = (record[2], record[3])
            # Nothing of a dry run's earlier chunks is in the database.
            if key in known or (self.dry_run and hash(key) in self._seen):
                if self.on_charged is not None:
                    self.on_charged(record, False)
                continue
            known.add(key)
            if self.dry_run:
                self._seen.add(hash(key))
            fresh.append(record)
        self.totals.duplicates += len(chunk) - len(fresh)
        return fresh

    def _charge(
        self, writer: CdrWriter, chunk: list[CheckedRecord]
    ) -> tuple[list[Any], list[Any], list[SuspendedRecordData]]:
        """Rows of the default run, rows of other runs (RUN_COLUMNS), and the records that cannot be charged."""
        rate, rater, instant = self.book.rate, self.rater, datetime.fromtimestamp
        file_id, as_text = self.file_id, self._as_text
        destinations, day_costs, runs = self.destinations, self._day_costs, self.runs
        # Records come in the order of their start, so that it, or at least the day, is often that of the one before.
        last = day = day_start = day_end = -1
        at, start_text, day_text, clock = EPOCH, "", "", clock_texts()
        rows: list[Any] = []
        run_rows: list[Any] = []
        refused: list[SuspendedRecordData] = []
        total = 0
        for record in chunk:
            start, _, source_id, record_id, service, msisdn, other_party, amount, _, message = record
            if start != last:
                last, at = start, instant(start, UTC)
                if not day_start <= start < day_end:
                    day = start // DAY_S
                    day_start, day_end, day_text = day * DAY_S, (day + 1) * DAY_S, self._texts[day]
                start_text = day_text + clock[start - day_start]
            charges: Sequence[RunCharge] = ()
            try:
                if runs is not None:
                    otherwise, charges = runs.rate(record, at)
                    if otherwise is not None:
                        run_rows += self._other_rows(writer, record, day, otherwise, charges)
                        continue
                charged_to, rated = rate(rater, msisdn, service, other_party, at, amount)
                cost, billed = rated.cost_micros, rated.billed_usage
                if cost > MOST_STORED or billed > MOST_STORED:
                    raise BssError("the price is larger than can be stored", code=COST_OUT_OF_RANGE)
            except BssError as error:
                refused.append(suspended(record, error.code, error.message))
                continue
            subscriber_id, account_id, service_id, plan_id = charged_to
            free, name = rated.free_usage, rated.destination
            destination_id = destinations.get(name)
            if destination_id is None:
                # Only if the tariff names a destination that prepare() could not foresee.
                writer.wait()
                destinations.prepare((name,))
                destination_id = destinations[name]
            total += cost
            cost_key = (day, service_id, plan_id)
            day_costs[cost_key] = day_costs.get(cost_key, 0) + cost
            if as_text:
                texts = record_id + other_party
                if "\\" in texts or not texts.isprintable():
                    record_id, other_party = escaped(record_id), escaped(other_party)
                rows.append(
                    f"{file_id}\t{source_id}\t{record_id}\t{account_id}\t{subscriber_id}\t{service_id}\t{plan_id}\t"
                    f"{destination_id}\t{start_text}\t{other_party}\t{amount}\t{free}\t{billed}\t{cost}\t"
                    f"{message.hex()}"
                )
            else:
                rows.append(
                    (
                        file_id, source_id, record_id, account_id, subscriber_id, service_id, plan_id,
                        destination_id, start_text, other_party, amount, free, billed, cost, message,
                    )
                )  # fmt: skip
            if charges:
                run_rows += [self._run_row(writer, record, charged_to, charge) for charge in charges]
            if self.on_charged is not None:
                self.on_charged(record, True)
        self.totals.cost_micros += total
        return rows, run_rows, refused

    def _other_rows(
        self,
        writer: CdrWriter,
        record: CheckedRecord,
        day: int,
        default: tuple[ChargedTo, RunCharge],
        charges: Sequence[RunCharge],
    ) -> list[Any]:
        """The rows of a record whose default run is not charged as usual; it counts as rated."""
        charged_to, charge = default
        cost = 0 if charge.mode in NOT_CHARGED else charge.rated.cost_micros
        cost_key = (day, charged_to[2], charged_to[3])
        self._day_costs[cost_key] = self._day_costs.get(cost_key, 0) + cost
        self.totals.cost_micros += cost
        self.totals.rated += 1
        if self.on_charged is not None:
            self.on_charged(record, True)
        return [self._run_row(writer, record, charged_to, one) for one in (charge, *charges)]

    def _run_row(
        self, writer: CdrWriter, record: CheckedRecord, charged_to: ChargedTo, charge: RunCharge
    ) -> Any:
        """The row of a record in a run, which is charged now."""
        assert self.runs is not None
        self.runs.charge(record, charged_to, charge)
        usage, rated = charge.usage, charge.rated
        if rated.destination not in self.destinations:
            writer.wait()
            self.destinations.prepare((rated.destination,))
        subscriber_id, _, service_id, plan_id = charged_to
        values: list[Any] = [
            *(
                self.file_id,
                record[2],
                record[3],
                charge.account.account_id,
                subscriber_id,
                service_id,
                plan_id,
            ),
            *(self.destinations[rated.destination], self._texts.of(int(usage.start.timestamp()))),
            *(usage.destination, usage.amount, rated.free_usage, rated.billed_usage, rated.cost_micros),
            *(charge.raw, charge.run, charge.mode),
        ]
        if not self._as_text:
            return values
        values[14] = values[14].hex()
        return "\t".join(escaped(str(value)) for value in values)

    def save_runs(self, cause: str) -> None:
        """Write what the runs besides the default one debited; ``cause`` names the batch."""
        if self.runs is not None:
            self.runs.save(cause, self.now_text)


def _portions(items: Iterable[Any]) -> Iterator[list[Any]]:
    iterator = iter(items)
    for number in count():
        size = FIRST_CHUNK_RECORDS << min(number // CHUNKS_A_SIZE, 20)
        portion = list(islice(iterator, min(size, CHUNK_RECORDS)))
        if not portion:
            return
        yield portion


def newest_cdr_id() -> int:
    """The highest id of a rated record that this transaction can see."""
    return Cdr.objects.aggregate(last=Max("pk"))["last"] or 0


def known_records(keys: set[tuple[int, str]]) -> set[tuple[int, str]]:
    """Which of these (source id, record id) have been rated by the default run, in this transaction or before."""
    by_source: dict[int, list[str]] = defaultdict(list)
    for source_id, record_id in keys:
        by_source[source_id].append(record_id)
    found: set[tuple[int, str]] = set()
    with connection.cursor() as cursor:
        for source_id, record_ids in by_source.items():
            for start in range(0, len(record_ids), 5_000):
                portion = record_ids[start : start + 5_000]
                marks = ",".join(["%s"] * len(portion))
                cursor.execute(
                    f"SELECT record_id FROM {CDR_TABLE} WHERE source_id = %s AND run = %s AND record_id IN ({marks})",
                    [source_id, DEFAULT_RUN, *portion],
                )
                found.update((source_id, record_id) for (record_id,) in cursor.fetchall())
    return found


def finish_batch(file: CdrFile) -> None:
    """Save the file's row under the next load sequence number: the last statements before the commit.

    The sequence's row stays locked until then, so numbers are given in the order in which batches commit.
    """
    publish([FILE_LOADED.event(file.pk, file.taken_at, file_id=file.pk, rated=file.rated)])
    LoadSequence.objects.filter(pk=LOAD_SEQUENCE_ID).update(last=F("last") + 1)
    file.load_sequence = LoadSequence.objects.values_list("last", flat=True).get(pk=LOAD_SEQUENCE_ID)
    file.save()


def prepare_load_sequence() -> None:
    """Make the one row of the sequence if it is missing; outside the batch's transaction."""
    if not LoadSequence.objects.filter(pk=LOAD_SEQUENCE_ID).exists():
        LoadSequence.objects.bulk_create([LoadSequence(pk=LOAD_SEQUENCE_ID)], ignore_conflicts=True)
