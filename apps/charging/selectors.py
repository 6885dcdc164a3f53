"""Reads of the charging room."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import Q, Sum

from apps.charging.models import Balance, BookPosting, LedgerEntry, SharedGroupTerms
from apps.storage.dialect import by_index, for_update
from apps.storage.upserts import select

# Rows that other rooms may join in SQL of their own: ``FROM {PAYERS} p``.
PAYERS = "(SELECT subscriber_id, account_id FROM charging_payer)"
ACCOUNTS = "(SELECT id, number, tenant_id, mode, currency, allow_negative, opened_at, closed_at FROM charging_account)"
BALANCES = "(SELECT id, account_id, tag, kind, amount_micros, reserved_micros FROM charging_balance)"
LEDGER = "(SELECT id, balance_id, at, kind, amount_micros, units, cause FROM charging_ledgerentry)"


class BookSums(NamedTuple):
    """What was taken from a book and added to it, micro-units."""

    debited: int
    credited: int


NOTHING_MOVED = BookSums(0, 0)


def book_sums(book_ids: Collection[int], start: datetime | None = None) -> dict[int, BookSums]:
    """What moved in each book from ``start`` (None: ever); books in which nothing did are absent.

    Without ``start`` the whole ledger is read: its entries have no index by book.
    """
    debited, credited = dict.fromkeys(book_ids, 0), dict.fromkeys(book_ids, 0)
    since = Q() if start is None else Q(at__gte=start)
    entries = LedgerEntry.objects.filter(since, book__in=book_ids).values_list("book")
    # What is added to a balance is taken from its book.
    for book_id, onto, off in entries.annotate(
        onto=Sum("amount_micros", filter=Q(amount_micros__gt=0), default=0),
        off=Sum("amount_micros", filter=Q(amount_micros__lt=0), default=0),
    ):
        debited[book_id] += onto
        credited[book_id] -= off
    for side, sums in (("debit", debited), ("credit", credited)):
        postings = BookPosting.objects.filter(since, **{f"{side}__in": book_ids}).values_list(side)
        for book_id, total in postings.annotate(total=Sum("amount_micros")):
            sums[book_id] += total
    return {
        book_id: BookSums(debited[book_id], credited[book_id])
        for book_id in book_ids
        if debited[book_id] or credited[book_id]
    }


def sharers_of(balance_ids: Collection[int]) -> dict[int, set[int]]:
    """The accounts that may use each of these balances through its shared groups; those in no group are absent."""
    groups: dict[int, set[int]] = defaultdict(set)
    shared = Balance.groups.through.objects.filter(balance__in=balance_ids)
    for balance_id, group_id in shared.values_list("balance_id", "sharedgroup_id"):
        groups[balance_id].add(group_id)
    members: dict[int, set[int]] = defaultdict(set)
    if wanted := set().union(*groups.values()):
        for group_id, account_id in (
            *Balance.objects.filter(groups__in=wanted).values_list("groups", "account_id").distinct(),
            *SharedGroupTerms.objects.filter(group__in=wanted).values_list("group_id", "account_id"),
        ):
            if account_id is not None:
                members[group_id].add(account_id)
    return {pk: set().union(*(members[group_id] for group_id in own)) for pk, own in groups.items()}


def lock_balances(account_ids: Collection[int]) -> set[int]:
    """Lock what these accounts hold, in the order of the accounts, for the caller's transaction; those that hold any.

    Everything that moves an account's money takes these locks first. The accounts' own rows stay free, because each
    foreign key to one takes a shared lock on it.
    """
    database = connections[DEFAULT_DB_ALIAS]
    index = by_index(database, "balance_tag_once_an_account")
    rows = select(
        database,
        f"SELECT account_id FROM charging_balance{index} WHERE account_id IN ({{values}})"
        f" ORDER BY account_id, id{for_update(database)}",
        sorted(account_ids),
    )
    return {account_id for (account_id,) in rows}
