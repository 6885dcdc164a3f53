"""Move money: every movement is a ledger entry with a cause, and the balance follows in the same transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import IntegrityError, connection, transaction

from apps.charging.models import DEFAULT_BALANCE, Account, Balance, LedgerEntry
from apps.kernel.errors import Conflict, InvalidInput
from apps.subscribers.selectors import in_portions

ROWS_A_STATEMENT = 2_000


class Movement(NamedTuple):
    """Money onto (or, negative, off) an account's default balance, against a book of the operator.

    ``at`` is when it takes effect (value date), which may be before it is written.
    """

    account_id: int
    at: datetime
    amount_micros: int
    kind: str
    book: str
    cause: str
    note: str = ""


def post_movements(movements: Sequence[Movement]) -> None:
    """Write many movements with a constant number of statements for each portion.

    Inside the caller's transaction; balances are locked in account order. Raises IntegrityError where a
    cause has moved money before.
    """
    ordered = sorted(movements)
    for first in range(0, len(ordered), ROWS_A_STATEMENT):
        _post_portion(ordered[first : first + ROWS_A_STATEMENT])


def post(
    account: Account,
    amount_micros: int,
    *,
    kind: str,
    book: str,
    cause: str,
    at: datetime,
    note: str = "",
) -> LedgerEntry:
    """One movement in a transaction of its own (or the caller's); doing it again under its cause is refused.

    Raises Conflict where ``cause`` has moved money before, InvalidInput for an amount of zero.
    """
    if amount_micros == 0:
        raise InvalidInput("an amount of zero moves nothing")
    try:
        with transaction.atomic():
            post_movements([Movement(account.pk, at, amount_micros, kind, book, cause, note)])
    except IntegrityError as error:
        if LedgerEntry.objects.filter(cause=cause).exists():
            raise Conflict(f"“{cause}” has moved money before", code="already_posted") from error
        raise
    return LedgerEntry.objects.get(cause=cause)


def _post_portion(movements: Sequence[Movement]) -> None:
    rows: list[object] = []
    for movement in movements:
        rows.extend((movement.account_id, DEFAULT_BALANCE, movement.amount_micros))
    values = ", ".join(["(%s, %s, %s)"] * len(movements))
    with connection.cursor() as cursor:
        if connection.vendor == "mysql":
            cursor.execute(
                "INSERT INTO charging_balance (account_id, tag, amount_micros) VALUES "
                + values
                + " ON DUPLICATE KEY UPDATE amount_micros = amount_micros + VALUES(amount_micros)",
                rows,
            )
        else:
            cursor.execute(
                "INSERT INTO charging_balance (account_id, tag, amount_micros) VALUES "
                + values
                + " ON CONFLICT (account_id, tag) DO UPDATE"
                " SET amount_micros = amount_micros + excluded.amount_micros",
                rows,
            )
    balance_of: dict[int, int] = {}
    for portion in in_portions({movement.account_id for movement in movements}):
        balance_of.update(
            Balance.objects.filter(account_id__in=portion, tag=DEFAULT_BALANCE).values_list(
                "account_id", "pk"
            )
        )
    LedgerEntry.objects.bulk_create(
        [
            LedgerEntry(
                balance_id=balance_of[movement.account_id],
                at=movement.at,
                kind=movement.kind,
                book=movement.book,
                amount_micros=movement.amount_micros,
                cause=movement.cause,
                note=movement.note,
            )
            for movement in movements
        ],
        batch_size=ROWS_A_STATEMENT,
    )
