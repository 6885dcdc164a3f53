"""Correct the charges of rated records, and take a correction back, with every sum that mediation keeps over them.

Free units, money and bills are the business of those who ask for it, in the same transaction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, date, datetime
from typing import TypeVar

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import QuerySet

from apps.kernel.errors import Conflict
from apps.mediation.domain.charges import Charge, ChargeChange
from apps.mediation.models import Cdr, CdrCorrection, CdrFile, CdrFileDay
from apps.mediation.services.batches import DestinationIds
from apps.rating.domain.runs import DEFAULT_RUN
from apps.storage.bulk import database_instant, insert_rows
from apps.storage.upserts import change_rows, update_rows

ROWS_A_STATEMENT = 1_000
CORRECTION_COLUMNS = (
    *("cdr_id", "account_id", "cause", "tariff_version_id", "at"),
    *("destination_before_id", "free_before", "billed_before", "cost_before_micros"),
    *("destination_after_id", "free_after", "billed_after", "cost_after_micros"),
)

T = TypeVar("T")


def correct_charges(
    changes: Sequence[ChargeChange], cause: str, version_id: int, destinations: DestinationIds, at: datetime
) -> None:
    """Give records the charges that ``version_id`` makes of them, and keep what they had under ``cause:account``.

    Inside the caller's transaction; a cause corrects a record once (IntegrityError). Raises Conflict if one is gone.
    """
    destinations.prepare({name for change in changes for name in (change.before[0], change.after[0])})
    insert_rows(
        CdrCorrection._meta.db_table,
        CORRECTION_COLUMNS,
        [
            (
                change.cdr_id,
                change.account_id,
                cause_of(cause, change.account_id),
                version_id,
                database_instant(at),
                destinations[change.before.destination],
                *change.before[1:],
                destinations[change.after.destination],
                *change.after[1:],
            )
            for change in changes
        ],
    )
    _write(changes, destinations)


def cause_of(cause: str, account_id: int) -> str:
    """Under which the charges of one account's records are corrected."""
    return f"{cause}:{account_id}"


def subscribers_corrected(cause: str, account_ids: Collection[int]) -> set[int]:
    """Ids of the subscribers whose records of these accounts a cause corrected, and that was not taken back."""
    return set(_standing(cause, account_ids).values_list("cdr__subscriber_id", flat=True))


def _standing(cause: str, account_ids: Collection[int]) -> QuerySet[CdrCorrection]:
    causes = [cause_of(cause, account_id) for account_id in account_ids]
    return CdrCorrection.objects.filter(cause__in=causes, taken_back_at=None)


def changes_taken_back(cause: str, account_ids: Collection[int]) -> list[ChargeChange]:
    """What gives the accounts' records of a cause back the charges that they had before, in the order of their ids.

    Raises Conflict (``corrected_since``) if a record has another charge by now than the cause gave it.
    """
    changes = []
    for row in (
        _standing(cause, account_ids)
        .select_related("cdr", "destination_before", "destination_after")
        .defer("cdr__raw")
        .order_by("cdr_id")
    ):
        cdr = row.cdr
        given = (row.destination_after_id, row.free_after, row.billed_after, row.cost_after_micros)
        if (cdr.destination_id, cdr.free_usage, cdr.billed_usage, cdr.cost_micros) != given:
            raise Conflict(
                f"record {cdr} was corrected again since; take the later correction back first",
                code="corrected_since",
            )
        changes.append(
            ChargeChange(
                cdr.pk,
                cdr.account_id,
                cdr.file_id,
                cdr.subscriber_id,
                cdr.service_id,
                cdr.price_plan_id,
                cdr.start,
                Charge(row.destination_after.tag, *given[1:]),
                Charge(
                    row.destination_before.tag, row.free_before, row.billed_before, row.cost_before_micros
                ),
            )
        )
    return changes


def take_back_charges(
    changes: Sequence[ChargeChange],
    cause: str,
    account_ids: Collection[int],
    destinations: DestinationIds,
    at: datetime,
) -> None:
    """Carry out :func:`changes_taken_back`; the corrections stay, marked. Inside the same transaction."""
    destinations.prepare({change.after.destination for change in changes})
    _write(changes, destinations)
    _standing(cause, account_ids).update(taken_back_at=at)


def _write(changes: Sequence[ChargeChange], destinations: DestinationIds) -> None:
    connection = connections[DEFAULT_DB_ALIAS]
    rows = sorted(
        (change.cdr_id, destinations[change.after.destination], *change.after[1:]) for change in changes
    )
    columns = ("destination_id", "free_usage", "billed_usage", "cost_micros")
    for portion in _portions(rows):
        found = update_rows(connection, Cdr._meta.db_table, columns, portion, where=f"run = '{DEFAULT_RUN}'")
        if found != len(portion):
            raise Conflict("a record that was to be corrected is gone", code="record_gone")
    # Many accounts share these rows, so they come last and in order: nothing but the commit waits behind their locks.
    files = _sums(changes, lambda change: change.file_id)
    _add(CdrFile._meta.db_table, sorted(files.items()))
    days = _sums(changes, _day_key)
    ids = _day_rows(files)
    _add(CdrFileDay._meta.db_table, sorted((ids[key], added) for key, added in days.items() if key in ids))


def _add(table: str, costs: Sequence[tuple[int, int]]) -> None:
    """Add to the cost of rows (by id)."""
    for portion in _portions(costs):
        change_rows(connections[DEFAULT_DB_ALIAS], table, "cost_micros = cost_micros + {value}", portion)


DayKey = tuple[int, date, int, int]


def _day_key(change: ChargeChange) -> DayKey:
    return change.file_id, change.start.astimezone(UTC).date(), change.service_id, change.price_plan_id


def _day_rows(file_ids: Collection[int]) -> dict[DayKey, int]:
    rows = CdrFileDay.objects.filter(file_id__in=file_ids)
    return {
        (file_id, day, service_id, plan_id): pk
        for pk, file_id, day, service_id, plan_id in rows.values_list(
            "pk", "file_id", "day", "service_id", "price_plan_id"
        )
    }


def _sums(changes: Sequence[ChargeChange], key_of: Callable[[ChargeChange], T]) -> dict[T, int]:
    sums: dict[T, int] = defaultdict(int)
    for change in changes:
        sums[key_of(change)] += change.added_micros
    return {key: added for key, added in sums.items() if added}


def _portions(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    for first in range(0, len(rows), ROWS_A_STATEMENT):
        yield rows[first : first + ROWS_A_STATEMENT]
