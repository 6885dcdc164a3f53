"""Accounts, balances and their movements as plain values; money in micro-units, times aware UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

DEFAULT_BALANCE = "*default"
"""The tag of the balance that top-ups go to."""


@dataclass(frozen=True, slots=True)
class BalanceView:
    """Money (``amount_micros``) or units (seconds, octets, events) that an account holds."""

    id: int
    tag: str
    """``*default`` is the one that top-ups go to."""
    kind: str
    """``monetary``, ``voice``, ``data``, ``sms`` or ``generic``."""
    amount_micros: int
    units: int
    reserved_micros: int
    reserved_units: int
    active_from: datetime | None
    expires_at: datetime | None
    disabled: bool
    weight: int


@dataclass(frozen=True, slots=True)
class BalanceOfAccount(BalanceView):
    """A balance and the account that holds it."""

    account_id: int


@dataclass(frozen=True, slots=True)
class AccountView:
    """Who pays: subscribers by id, balances, and how far it is billed."""

    id: int
    number: str
    mode: str
    currency: str
    customer_number: str
    customer_name: str
    opened_at: datetime
    closed_at: datetime | None
    cycle: int
    next_cycle: int
    billed_until: datetime | None
    unpaid_micros: int
    """The unpaid rest of its bills."""
    subscriber_ids: tuple[int, ...]
    balances: tuple[BalanceView, ...]


@dataclass(frozen=True, slots=True)
class LedgerEntryView:
    """One movement of a balance; ``amount_micros`` (or ``units``) is added to it."""

    id: int
    at: datetime
    balance_tag: str
    kind: str
    book: str
    amount_micros: int
    units: int
    cause: str
    note: str


@dataclass(frozen=True, slots=True)
class Moved:
    """What a top-up or an adjustment did. ``repeated``: its key had been used, and this is what it did then.

    The balance is as it is now, not as it was then.
    """

    account_id: int
    currency: str
    amount_micros: int
    balance_micros: int
    repeated: bool
