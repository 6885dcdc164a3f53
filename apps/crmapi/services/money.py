"""Money onto and off balances, as the CRM asks for it."""

from __future__ import annotations

from datetime import datetime

from apps.crmapi.domain.accounts import Moved


def top_up(
    tenant: str, account_id: int, amount_micros: int, *, key: str, now: datetime, note: str = "", by: str = ""
) -> Moved:
    """Add money to an account's default balance. ``key`` names it: the same key again moves nothing.

    Raises NotFound, InvalidInput (amount not above zero, key missing), Conflict (the key was used for another amount or
    account: code key_reused; the account is closed: code closed).
    """
    raise NotImplementedError


def adjust_balance(
    tenant: str,
    account_id: int,
    amount_micros: int,
    *,
    key: str,
    now: datetime,
    note: str,
    by: str = "",
    may_overdraw: bool = False,
) -> Moved:
    """Correct an account's default balance up or down; ``note`` says why. Raises as :func:`top_up`, and Conflict where it
    would end below zero without ``may_overdraw``, InvalidInput where the note is missing."""
    raise NotImplementedError


def subscriber_account(tenant: str, subscriber_id: int) -> int:
    """The id of the account that pays for a subscriber. Raises NotFound."""
    raise NotImplementedError
