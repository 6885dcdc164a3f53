"""See what another tariff version makes of accounts' records; nothing but the job's own rows is written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db import DEFAULT_DB_ALIAS, connection, connections, transaction

from apps.charging.services.recharging import Recharging, read_recharging
from apps.charging.services.terms import Terms
from apps.rating.domain import Rater
from apps.rating.selectors import rater_as_of
from apps.rerating.domain.differences import AccountDifference, StoredRecord, compare
from apps.rerating.models import RerateAccount, RerateDifference, RerateJob
from apps.rerating.selectors import accounts_with_records, records_of
from apps.storage.bulk import database_instant, insert_rows
from apps.storage.upserts import update_rows

ACCOUNTS_AT_ONCE = 100
ROWS_A_STATEMENT = 1_000
State = RerateAccount.State


def collect_accounts(job_id: int) -> None:
    """Find the accounts that have records of a new job, once."""
    job = RerateJob.objects.get(pk=job_id)
    found = accounts_with_records(job)
    with transaction.atomic():
        job = RerateJob.objects.select_for_update().get(pk=job_id)
        if job.state != RerateJob.State.NEW:
            return
        RerateAccount.objects.bulk_create(
            (RerateAccount(job=job, account_id=account_id) for account_id in found),
            batch_size=ROWS_A_STATEMENT,
        )
        job.accounts, job.state = len(found), RerateJob.State.SIMULATING
        job.save(update_fields=["accounts", "state"])


@transaction.atomic
def simulate_some(job: RerateJob, terms: Terms, now: datetime, most: int) -> int:
    """Simulate the next accounts that no other worker has in hand; how many."""
    rows = due_rows(job.pk, State.PENDING, most)
    if not rows:
        return 0
    records = records_of(job, [row.account_id for row in rows])
    again = recharging_of([record for of_account in records.values() for record in of_account], terms)
    rater = rater_as_of(job.tariff_version_id).rater
    found: dict[int, AccountDifference] = {}
    for row in rows:
        found[row.pk] = difference_of(row.account_id, records.get(row.account_id, ()), again, rater)
        note_difference(row, found[row.pk])
    write_rows(rows, now)
    write_differences(found)
    return len(rows)


def due_rows(job_id: int, state: str, most: int) -> list[RerateAccount]:
    """Rows in ``state``, locked; those that another worker has locked are skipped."""
    skips = connection.features.has_select_for_update_skip_locked
    rows = RerateAccount.objects.select_for_update(skip_locked=skips).filter(job_id=job_id, state=state)
    return list(rows.order_by("pk")[:most])


def recharging_of(records: Sequence[StoredRecord], terms: Terms, *, lock: bool = False) -> Recharging | None:
    """What these records are charged again with; None for none."""
    if not records:
        return None
    starts = [record.start for record in records]
    return read_recharging({record.payer for record in records}, min(starts), max(starts), terms, lock=lock)


def difference_of(
    account_id: int, records: Sequence[StoredRecord], again: Recharging | None, rater: Rater
) -> AccountDifference:
    """What ``rater`` makes of an account's records."""
    if again is None or not records:
        return AccountDifference()
    return compare(records, again.codes, again.book_of(account_id), rater, again.counters.online)


ROW_COLUMNS = (
    *("state", "reason", "records", "changed", "refused", "free_before", "free_after"),
    *("cost_before_micros", "cost_after_micros", "digest", "adjusted_micros"),
)


def write_rows(rows: Sequence[RerateAccount], now: datetime) -> None:
    """Save what was written into rows of one job, with one statement."""
    if rows:
        update_rows(
            connections[DEFAULT_DB_ALIAS],
            RerateAccount._meta.db_table,
            (*ROW_COLUMNS, "counters", "finished_at"),
            [
                (
                    row.pk,
                    *(getattr(row, name) for name in ROW_COLUMNS),
                    json.dumps(row.counters),
                    database_instant(now),
                )
                for row in rows
            ],
            where=f"job_id = {rows[0].job_id:d}",
        )


def note_difference(row: RerateAccount, found: AccountDifference) -> None:
    """Write into the row (not yet saved) what was found; its state is that of a simulation."""
    sums = found.sums
    row.state = State.SIMULATED if found.changes else State.UNCHANGED
    row.reason = ", ".join(f"{reason}: {count} records" for reason, count in sorted(found.refused.items()))[
        :300
    ]
    row.records, row.changed, row.refused = found.records, len(found.changes), found.refused.total()
    row.free_before, row.free_after = sums.free_before, sums.free_after
    row.cost_before_micros, row.cost_after_micros = sums.cost_before_micros, sums.cost_after_micros
    row.digest = found.digest


def write_differences(found: Mapping[int, AccountDifference]) -> None:
    """Replace the differences of rows (by id)."""
    RerateDifference.objects.filter(row_id__in=found).delete()
    insert_rows(
        RerateDifference._meta.db_table,
        (
            *("row_id", "service_id", "price_plan_id", "destination", "records", "free_before", "free_after"),
            *("billed_before", "billed_after", "cost_before_micros", "cost_after_micros"),
        ),
        [
            (
                *(row_id, *key, sums.records, sums.free_before, sums.free_after),
                *(sums.billed_before, sums.billed_after, sums.cost_before_micros, sums.cost_after_micros),
            )
            for row_id, difference in sorted(found.items())
            for key, sums in sorted(difference.by_destination.items())
        ],
    )
