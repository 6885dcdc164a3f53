"""Triggers of accounts' money and what they did, as plain values; money in micro-units, times aware UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class TriggerView:
    """``kind`` is ``below`` or ``above`` (a balance), or ``spent`` (within ``window_s`` seconds, in real time).

    ``action`` is ``notify``, ``reauthorise`` (RAR) or ``bar`` (ASR). It watches one account, those that pay for
    subscribers of a price plan, or all of the tenant in the currency.
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


@dataclass(frozen=True, slots=True)
class FiringView:
    """A trigger that fired, as it was then. ``value_micros`` is the balance, or the sum spent; ``text`` says it."""

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


@dataclass(frozen=True, slots=True)
class ResetTrigger:
    """For how many accounts a trigger had counted what they spend."""

    accounts: int
