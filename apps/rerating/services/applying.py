"""Apply a job to one account, or take it back: everything in one transaction, so that it is whole or not at all.

Locked in this order: the account's row of the job, its billing, its subscribers' payers, balances; sums that many
accounts share come last.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from apps.billing.domain.corrections import BilledUsageChange
from apps.billing.services.correcting import adjust_billed_usage, lock_billing
from apps.charging.models import Account, LedgerBook, LedgerEntry
from apps.charging.services.ledger import Movement, post_movements
from apps.charging.services.recharging import move_counters, move_counters_back
from apps.insight.services.usage import correct_usage
from apps.kernel.errors import Conflict
from apps.mediation.domain.charges import ChargeChange
from apps.mediation.models import CdrFile
from apps.mediation.services.batches import DestinationIds
from apps.mediation.services.correcting import (
    changes_taken_back,
    correct_charges,
    subscribers_corrected,
    take_back_charges,
)
from apps.rating.selectors import rater_as_of
from apps.rerating.domain.differences import money_by_day
from apps.rerating.models import RerateAccount, RerateJob
from apps.rerating.selectors import records_of
from apps.rerating.services.simulating import (
    SIMULATION_FIELDS,
    difference_of,
    due_rows,
    note_difference,
    recharging_of,
    write_differences,
)

State = RerateAccount.State


def cause_of(row: RerateAccount) -> str:
    """Under which the job corrects the account's records and moves its money."""
    return f"rerate:{row.job_id}:{row.account_id}"


@transaction.atomic
def apply_next(job: RerateJob, destinations: DestinationIds, now: datetime) -> RerateAccount | None:
    """Apply the job to the next account that no other worker has in hand; None if there is none.

    If its records, or what they come to, are not those of the simulation, it is simulated again and stays as it is.
    """
    rows = due_rows(job.pk, State.SIMULATED, 1)
    if not rows:
        return None
    row = rows[0]
    lock_billing(row.account_id)
    records = records_of(job, [row.account_id]).get(row.account_id, [])
    again = recharging_of(records, lock=True)
    # Only now that no batch charges these subscribers, their records stay as they are.
    if again is not None and records_of(job, [row.account_id])[row.account_id] != records:
        raise Conflict("records came in at this moment", code="busy")
    found = difference_of(row.account_id, records, again, rater_as_of(job.tariff_version_id).rater)
    if found.digest != row.digest or again is None:
        note_difference(row, found, now)
        if row.state == State.SIMULATED:
            row.state = State.CHANGED
        row.save(update_fields=SIMULATION_FIELDS)
        write_differences({row.pk: found})
        return row
    row.counters = move_counters(found.counters, again.counters.rows)
    correct_charges(found.changes, cause_of(row), job.tariff_version_id, destinations, now)
    row.adjusted_micros = _move_money(row, found.changes, now, "")
    row.state, row.finished_at = State.APPLIED, now
    row.save(update_fields=["counters", "adjusted_micros", "state", "finished_at"])
    correct_usage(found.changes)
    return row


@transaction.atomic
def reverse_next(job: RerateJob, destinations: DestinationIds, now: datetime) -> RerateAccount | None:
    """Give the next account's records their former charges back, with all that followed; None if there is none.

    An account that was corrected again since, or whose free units are used otherwise, stays and says why.
    """
    rows = due_rows(job.pk, State.APPLIED, 1)
    if not rows:
        return None
    row = rows[0]
    try:
        with transaction.atomic():
            _reverse(row, destinations, now)
    except Conflict as error:
        row.state, row.reason, row.finished_at = State.STUCK, error.message[:300], now
        row.save(update_fields=["state", "reason", "finished_at"])
    return row


def _reverse(row: RerateAccount, destinations: DestinationIds, now: datetime) -> None:
    lock_billing(row.account_id)
    cause = cause_of(row)
    counters = [(counter, units) for counter, units in row.counters]
    move_counters_back(counters, subscribers_corrected(cause))
    changes = changes_taken_back(cause)
    take_back_charges(changes, cause, destinations, now)
    row.adjusted_micros += _move_money(row, changes, now, ":reversed")
    row.state, row.reason, row.finished_at = State.REVERSED, "", now
    row.save(update_fields=["adjusted_micros", "state", "reason", "finished_at"])
    correct_usage(changes)


def _move_money(row: RerateAccount, changes: Sequence[ChargeChange], now: datetime, suffix: str) -> int:
    """Prepaid: ledger entries, a day each as for files. Postpaid: what is billed goes onto the next bill; how much."""
    account = Account.objects.select_related("tenant").get(pk=row.account_id)
    if account.mode != Account.Mode.PREPAID:
        sequences = dict(
            CdrFile.objects.filter(pk__in={change.file_id for change in changes}).values_list(
                "pk", "load_sequence"
            )
        )
        return adjust_billed_usage(
            account.pk,
            [
                BilledUsageChange(
                    change.start, sequences[change.file_id] or 0, change.service_id, change.added_micros
                )
                for change in changes
            ],
            now,
        )
    post_movements(
        [
            Movement(
                account_id=account.pk,
                at=money.last_start,
                amount_micros=-money.added_micros,
                kind=LedgerEntry.Kind.USAGE.value,
                book=LedgerBook.Code.REVENUE.value,
                cause=f"{cause_of(row)}:{money.day}{suffix}",
                note=f"Re-rating {row.job_id}{' taken back' if suffix else ''}",
            )
            for money in money_by_day(changes, account.tenant.zone)
        ]
    )
    return 0
