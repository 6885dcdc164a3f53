"""Accounts, what they hold and how it came to that."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from apps.crmapi.domain.accounts import AccountView, BalanceView, LedgerEntryView


def get_account(tenant: str, *, account_id: int = 0, number: str = "") -> AccountView:
    """An account by id or number, with its balances. Raises NotFound, InvalidInput (neither given)."""
    raise NotImplementedError


def list_accounts(
    tenant: str, *, mode: str = "", customer_number: str = "", after_id: int = 0, limit: int = 0
) -> Iterator[AccountView]:
    """Accounts in the order of their ids, a page at a time. Raises InvalidInput (mode) at once."""
    raise NotImplementedError


def balances(tenant: str, account_id: int) -> list[BalanceView]:
    """What an account holds, the default balance first. Raises NotFound."""
    raise NotImplementedError


def get_balance(tenant: str, balance_id: int) -> tuple[BalanceView, int]:
    """A balance and its account's id. Raises NotFound."""
    raise NotImplementedError


def ledger(
    tenant: str,
    account_id: int,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    tag: str = "",
    after_id: int = 0,
    limit: int = 0,
) -> Iterator[LedgerEntryView]:
    """Movements of an account's balances (or of the one tagged ``tag``) in the order in which they were written.

    Those whose value date lies in ``[start, end)``, where given. Raises NotFound at once.
    """
    raise NotImplementedError
