"""Triggers of accounts' money and what they did, as plain values; money in micro-units, times aware UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class TriggerView:
    """``kind`` is one of :class:`apps.charging.domain.triggers.TriggerKind`; ``window_s`` seconds are of ``spent``.

    ``balance_kind`` is what the balance holds, or what of the usage counts; its threshold is in micro-units for
    ``monetary``, else in units. ``action`` is ``notify``, ``reauthorise`` (RAR) or ``bar`` (ASR), ``actions`` the id
    of a group of actions. It watches one account, those that pay for subscribers of a price plan, those that have a
    set of triggers, or all of the tenant in the currency.
    """

    id: int
    name: str
    enabled: bool
    kind: str
    threshold_micros: int
    window_s: int | None
    currency: str
    balance_tag: str
    price_plan: str
    account_id: int | None
    account_number: str
    action: str
    notify: bool
    balance_kind: str
    threshold_units: int
    destinations: str
    categories: str
    recurrent: bool
    min_sleep_s: int
    monthly: bool
    active_from: datetime | None
    expires_at: datetime | None
    trigger_set: str
    actions: str


@dataclass(frozen=True, slots=True)
class FiringView:
    """A trigger that fired, as it was then. The value is the balance, or what was spent or counted; ``text`` says
    it."""

    id: int
    at: datetime
    trigger_id: int
    trigger: str
    account_id: int
    account_number: str
    kind: str
    action: str
    threshold_micros: int
    value_micros: int
    currency: str
    cause: str
    text: str
    balance_kind: str
    threshold_units: int
    value_units: int
    actions: str


@dataclass(frozen=True, slots=True)
class ResetTrigger:
    """For how many accounts a trigger had remembered something."""

    accounts: int


@dataclass(frozen=True, slots=True)
class SpendingCapView:
    """What an account may use in a calendar month, what was used of it, and whether it was warned or barred for it."""

    account_id: int
    currency: str
    limit_micros: int
    spent_micros: int
    is_warned: bool
    is_barred: bool


@dataclass(frozen=True, slots=True)
class SharedLimitView:
    """What a member of a shared group may use of the others' balances of a kind in a month, and has used.

    ``account_id`` 0 is each member without a limit of its own. In micro-units for ``monetary``, else in units.
    """

    group: str
    account_id: int
    kind: str
    limit: int
    used: int
