"""Reads of the charging room."""

from __future__ import annotations

from collections.abc import Collection

from django.db import DEFAULT_DB_ALIAS, connections

from apps.storage.dialect import by_index, for_update
from apps.storage.upserts import select

# Rows that other rooms may join in SQL of their own: ``FROM {PAYERS} p``.
PAYERS = "(SELECT subscriber_id, account_id FROM charging_payer)"
ACCOUNTS = "(SELECT id, number, tenant_id, mode, currency, allow_negative, opened_at, closed_at FROM charging_account)"
BALANCES = "(SELECT id, account_id, tag, kind, amount_micros, reserved_micros FROM charging_balance)"
LEDGER = "(SELECT id, balance_id, at, kind, amount_micros, units, cause FROM charging_ledgerentry)"


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
