"""Apply a job to some accounts, or take it back: an account is whole or not at all, and so is its row of the job.

Locked in this order: the accounts' rows of the job, their billing, their subscribers' payers, balances; sums that many
accounts share come last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Count, Max

from apps.billing.domain.corrections import BilledUsageChange
from apps.billing.services.correcting import adjust_billed_usage, lock_billing
from apps.charging.models import Account, LedgerBook, LedgerEntry
from apps.charging.services.ledger import Movement, post_movements
from apps.charging.services.recharging import move_counters, move_counters_back
from apps.charging.services.terms import Terms
from apps.charging.services.usage import lock_payers
from apps.insight.services.usage import correct_usage
from apps.kernel.errors import Conflict
from apps.mediation.domain.charges import ChargeChange
from apps.mediation.models import Cdr, CdrFile
from apps.mediation.services.batches import DestinationIds
from apps.mediation.services.correcting import (
    cause_of,
    changes_taken_back,
    correct_charges,
    subscribers_corrected,
    take_back_charges,
)
from apps.rating.selectors import rater_as_of
from apps.rerating.domain.differences import AccountDifference, StoredRecord, money_by_day
from apps.rerating.models import RerateAccount, RerateJob
from apps.rerating.selectors import chosen, records_of
from apps.rerating.services.simulating import (
    difference_of,
    due_rows,
    note_difference,
    recharging_of,
    write_differences,
    write_rows,
)

ACCOUNTS_AT_ONCE = 50
State = RerateAccount.State
Changes = Mapping[int, Sequence[ChargeChange]]


@transaction.atomic
def apply_some(job: RerateJob, terms: Terms, destinations: DestinationIds, now: datetime, most: int) -> int:
    """Apply the job to the next accounts that no other worker has in hand; how many were looked at.

    If an account's records, or what they come to, are not those of the simulation, it is simulated again and stays as
    it is. Raises Conflict (``busy``) if records come in at this moment.
    """
    rows = due_rows(job.pk, State.SIMULATED, most)
    if not rows:
        return 0
    lock_billing([row.account_id for row in rows])
    records = records_of(job, [row.account_id for row in rows])
    rows = _without_common_subscribers(rows, records)
    found = _differences(job, rows, records, terms)
    same = [row for row in rows if found[row.account_id].digest == row.digest]
    _note_changed([row for row in rows if row not in same], found, now)
    _correct(job, same, {row.account_id: found[row.account_id] for row in same}, destinations, now)
    return len(rows)


def _without_common_subscribers(
    rows: Sequence[RerateAccount], records: Mapping[int, Sequence[StoredRecord]]
) -> list[RerateAccount]:
    """Without accounts that share subscribers, and so free units, with an earlier one: they come next."""
    seen: set[int] = set()
    kept = []
    for row in rows:
        subscribers = {record.subscriber_id for record in records.get(row.account_id, ())}
        if not subscribers & seen:
            kept.append(row)
        seen |= subscribers
    return kept


def _differences(
    job: RerateJob,
    rows: Sequence[RerateAccount],
    records: Mapping[int, Sequence[StoredRecord]],
    terms: Terms,
) -> dict[int, AccountDifference]:
    """What the job makes of each account, by id, while no batch charges its subscribers."""
    ids = [row.account_id for row in rows]
    listed = [record for account_id in ids for record in records.get(account_id, ())]
    again = recharging_of(listed, terms, lock=True)
    # Only now that no batch charges these subscribers, their records stay as they are.
    counted = Cdr.objects.filter(chosen(job), account_id__in=ids).aggregate(Count("pk"), Max("pk"))
    if tuple(counted.values()) != (len(listed), max((record.cdr_id for record in listed), default=None)):
        raise Conflict("records came in at this moment", code="busy")
    rater = rater_as_of(job.tariff_version_id).rater
    found = {
        account_id: difference_of(account_id, records.get(account_id, ()), again, rater) for account_id in ids
    }
    for difference in found.values():
        difference.counter_rows = again.counters.rows if again is not None else {}
    return found


def _note_changed(
    rows: Sequence[RerateAccount], found: Mapping[int, AccountDifference], now: datetime
) -> None:
    """What was simulated holds no longer for these accounts: show what does."""
    for row in rows:
        note_difference(row, found[row.account_id])
        if row.state == State.SIMULATED:
            row.state = State.CHANGED
    write_rows(rows, now)
    write_differences({row.pk: found[row.account_id] for row in rows})


def _correct(
    job: RerateJob,
    rows: Sequence[RerateAccount],
    found: Mapping[int, AccountDifference],
    destinations: DestinationIds,
    now: datetime,
) -> None:
    """Correct the accounts' records, and all that follows."""
    if not rows:
        return
    cause = f"rerate:{job.pk}"
    changes = {account_id: difference.changes for account_id, difference in found.items()}
    listed = [change for some in changes.values() for change in some]
    counters = {account_id: difference.counters for account_id, difference in found.items()}
    moved = move_counters(counters, found[rows[0].account_id].counter_rows)
    correct_charges(listed, cause, job.tariff_version_id, destinations, now)
    adjusted = _move_money(job, changes, "")
    for row in rows:
        row.counters, row.adjusted_micros = moved[row.account_id], adjusted.get(row.account_id, 0)
        row.state = State.APPLIED
    write_rows(rows, now)
    correct_usage(listed)


@transaction.atomic
def reverse_some(job: RerateJob, destinations: DestinationIds, now: datetime, most: int) -> int:
    """Give the next accounts' records their former charges back, with all that followed; how many accounts.

    Raises Conflict if an account was corrected again since, or its free units are used otherwise; of a single one, that
    is written to its row instead.
    """
    rows = due_rows(job.pk, State.APPLIED, most)
    if not rows:
        return 0
    try:
        with transaction.atomic():
            _reverse(job, rows, destinations, now)
    except Conflict as error:
        if most > 1:
            raise
        for row in rows:
            row.state, row.reason = State.STUCK, error.message[:300]
        write_rows(rows, now)
    return len(rows)


def _reverse(
    job: RerateJob, rows: Sequence[RerateAccount], destinations: DestinationIds, now: datetime
) -> None:
    ids = [row.account_id for row in rows]
    cause = f"rerate:{job.pk}"
    lock_billing(ids)
    lock_payers(sorted(subscribers_corrected(cause, ids)))
    listed = changes_taken_back(cause, ids)
    move_counters_back([(counter, units) for row in rows for counter, units in row.counters])
    take_back_charges(listed, cause, ids, destinations, now)
    changes: dict[int, list[ChargeChange]] = {account_id: [] for account_id in ids}
    for change in listed:
        changes[change.account_id].append(change)
    adjusted = _move_money(job, changes, ":reversed")
    for row in rows:
        row.adjusted_micros += adjusted.get(row.account_id, 0)
        row.state, row.reason = State.REVERSED, ""
    write_rows(rows, now)
    correct_usage(listed)


def _move_money(job: RerateJob, changes: Changes, suffix: str) -> dict[int, int]:
    """Prepaid: ledger entries, a day each as for files. Postpaid: what is billed goes onto the next bill; how much."""
    accounts = Account.objects.select_related("tenant").in_bulk(list(changes))
    files = {change.file_id for some in changes.values() for change in some}
    sequences = dict(CdrFile.objects.filter(pk__in=files).values_list("pk", "load_sequence"))
    movements: list[Movement] = []
    billed: dict[int, list[BilledUsageChange]] = {}
    for account_id, some in changes.items():
        account = accounts[account_id]
        if account.mode == Account.Mode.PREPAID:
            movements += [
                Movement(
                    account_id=account_id,
                    at=money.last_start,
                    amount_micros=-money.added_micros,
                    kind=LedgerEntry.Kind.USAGE.value,
                    book=LedgerBook.Code.REVENUE.value,
                    cause=f"{cause_of(f'rerate:{job.pk}', account_id)}:{money.day}{suffix}",
                    note=f"Re-rating {job.pk}{' taken back' if suffix else ''}",
                )
                for money in money_by_day(some, account.tenant.zone)
            ]
        else:
            billed[account_id] = [
                BilledUsageChange(
                    change.start, sequences[change.file_id] or 0, change.service_id, change.added_micros
                )
                for change in some
            ]
    post_movements(movements)
    return adjust_billed_usage(billed)
