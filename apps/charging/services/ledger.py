"""Move money: every movement is a ledger entry with a cause, and the balance follows in the same transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import DEFAULT_DB_ALIAS, IntegrityError, connections, transaction

from apps.charging.domain.published import CREDITS, account_credited
from apps.charging.models import DEFAULT_BALANCE, Account, Balance, LedgerEntry
from apps.charging.services.balance_actions import carry_out_firings
from apps.charging.services.books import BookKey, book_ids
from apps.charging.services.triggers import locked_balances, watch_movements
from apps.events.services.publishing import publish
from apps.kernel.errors import Conflict, InvalidInput
from apps.rating.selectors.views import TENANTS
from apps.storage.bulk import database_instant, insert_rows
from apps.storage.dialect import greatest
from apps.storage.reads import select_in
from apps.storage.upserts import change_rows

ROWS_A_STATEMENT = 20_000
ENTRY_COLUMNS = ("balance_id", "at", "kind", "book_id", "amount_micros", "cause", "note")
BALANCES_A_STATEMENT = 2_000


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

    Inside the caller's transaction; balances are locked in account order. A balance may end below zero: these
    are movements that have happened (usage from files, fees). Raises IntegrityError if a cause has moved
    money before.
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
    sums: dict[int, int] = defaultdict(int)
    for movement in movements:
        sums[movement.account_id] += movement.amount_micros
    balance_of = _default_balances(sums)
    owners = _owners(sums)
    key_of = {
        (account_id, book): BookKey(*owners[account_id], str(book))
        for account_id, book in {(one.account_id, one.book) for one in movements}
    }
    books = book_ids(connections[DEFAULT_DB_ALIAS], set(key_of.values()))
    _raise_amounts({balance_of[account_id]: amount for account_id, amount in sums.items()})
    insert_rows(
        LedgerEntry._meta.db_table,
        ENTRY_COLUMNS,
        [
            (
                balance_of[movement.account_id],
                database_instant(movement.at),
                str(movement.kind),
                books[key_of[movement.account_id, movement.book]],
                movement.amount_micros,
                movement.cause,
                movement.note,
            )
            for movement in movements
        ],
    )
    credited = [one for one in movements if one.kind in CREDITS and one.amount_micros > 0]
    if credited:
        publish(
            account_credited(
                one.account_id,
                balance_of[one.account_id],
                owners[one.account_id][0],
                one.at,
                str(one.kind),
                amount_micros=one.amount_micros,
            )
            for one in credited
        )
    fired = watch_movements(
        (one.account_id, one.cause, one.at, one.amount_micros, one.kind == LedgerEntry.Kind.USAGE)
        for one in movements
    )
    if fired:
        carry_out_firings(fired, max(one.at for one in movements))


def lock_accounts(account_ids: Collection[int]) -> None:
    """Lock the balances of the accounts as the executor does, each account's default one at least."""
    _default_balances(account_ids)
    locked_balances(account_ids)


def _default_balances(account_ids: Collection[int]) -> dict[int, int]:
    """The id of each account's default balance; those that are missing come into being, empty."""
    found = _known_balances(account_ids)
    missing = sorted(set(account_ids) - found.keys())
    if missing:
        # Another process may make the same ones at this moment; either's will do.
        Balance.objects.bulk_create(
            [Balance(account_id=account_id, tag=DEFAULT_BALANCE) for account_id in missing],
            ignore_conflicts=True,
        )
        found.update(_known_balances(missing))
    return found


def _owners(account_ids: Collection[int]) -> dict[int, tuple[str, str]]:
    """The tenant's code and the currency of each account."""
    rows = select_in(
        f"SELECT a.id, t.code, a.currency FROM charging_account a JOIN {TENANTS} t ON t.id = a.tenant_id"
        " WHERE a.id IN ({values})",
        account_ids,
    )
    return {account_id: (tenant, currency) for account_id, tenant, currency in rows}


def _known_balances(account_ids: Collection[int]) -> dict[int, int]:
    return dict(
        select_in(
            f"SELECT account_id, id FROM charging_balance WHERE tag = '{DEFAULT_BALANCE}'"
            " AND account_id IN ({values})",
            account_ids,
        )
    )


def _raise_amounts(amounts: Mapping[int, int]) -> None:
    """Add to each balance (by id) its amount, locking in id order.

    What has happened is booked, below zero if need be: such a movement raises the overdraft that it needs.
    """
    ordered = sorted(amounts.items())
    # The overdraft comes first because MySQL's assignments see the results of those before them.
    overdraft = greatest("overdraft_micros", "reserved_micros - amount_micros - {value}")
    change = f"overdraft_micros = {overdraft}, amount_micros = amount_micros + {{value}}"
    for first in range(0, len(ordered), BALANCES_A_STATEMENT):
        change_rows(
            connections[DEFAULT_DB_ALIAS],
            "charging_balance",
            change,
            ordered[first : first + BALANCES_A_STATEMENT],
        )
