"""Account triggers: what an operator wants done when an account's balances or its usage reach a threshold.

There are three ways to watch (:class:`TriggerKind`). A threshold is *crossed* by a movement: the balance was on one
side before it and is on the other after it. So such a trigger fires once, and again only after the balance has been
back. Spending is added up over a rolling *window*; once it was too much, the trigger rests until a whole window is
over. A *level* (CGRateS: action trigger) fires once the figure has reached it, and then no more until it is reset,
or, if it is recurrent, with every movement that finds it reached, ``min_sleep_s`` apart.

When and what is :mod:`apps.charging.domain.trigger_states`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

from apps.charging.domain.balances import DEFAULT_TAG, BalanceKind
from apps.charging.domain.trigger_filters import BalanceFilter
from apps.kernel.currencies import format_money
from apps.kernel.money import format_micros


class TriggerKind(StrEnum):
    """What is watched. The last seven are CGRateS's threshold types, thresholds included."""

    BELOW = "below"
    """A balance that was at the threshold or over it is below it."""
    ABOVE = "above"
    """A balance that was at the threshold or below it is over it."""
    SPENT = "spent"
    """More than the threshold was debited for usage in real time within the window, off all balances of money."""
    MIN_BALANCE = "min_balance"
    """A balance is at the threshold or below it after a movement."""
    MAX_BALANCE = "max_balance"
    """A balance is at the threshold or over it after a movement."""
    MIN_EVENT_COUNTER = "min_event_counter"
    """What was used so far comes to the threshold or less, after a use."""
    MAX_EVENT_COUNTER = "max_event_counter"
    """What was used so far comes to the threshold or more."""
    MIN_BALANCE_COUNTER = "min_balance_counter"
    """What usage took off the balances so far comes to the threshold or less, after it took some."""
    MAX_BALANCE_COUNTER = "max_balance_counter"
    """What usage took off the balances so far comes to the threshold or more."""
    BALANCE_EXPIRED = "balance_expired"
    """A balance has expired; found by beat."""


LEVELS = frozenset({TriggerKind.MIN_BALANCE, TriggerKind.MAX_BALANCE})
EVENT_COUNTERS = frozenset({TriggerKind.MIN_EVENT_COUNTER, TriggerKind.MAX_EVENT_COUNTER})
BALANCE_COUNTERS = frozenset({TriggerKind.MIN_BALANCE_COUNTER, TriggerKind.MAX_BALANCE_COUNTER})
COUNTERS = EVENT_COUNTERS | BALANCE_COUNTERS
UNTIL_RESET = LEVELS | COUNTERS | {TriggerKind.BALANCE_EXPIRED}
"""Kinds that fire once until they are reset, unless they are recurrent."""
WITH_A_STATE = UNTIL_RESET | {TriggerKind.SPENT}
FLOORS = frozenset({TriggerKind.MIN_BALANCE, TriggerKind.MIN_EVENT_COUNTER, TriggerKind.MIN_BALANCE_COUNTER})
"""Kinds that fire at the threshold and below it."""


class TriggerAction(StrEnum):
    """What follows, beside the notification."""

    NOTIFY = "notify"
    REAUTHORISE = "reauthorise"
    """The gateways of the account's open sessions re-authorise them (RAR)."""
    BAR = "bar"
    """The account is barred and its open sessions are ended (ASR)."""
    CAP = "cap"
    """As BAR, until the calendar month is over."""


DEFAULT_FILTER = BalanceFilter(DEFAULT_TAG)


class Trigger(NamedTuple):
    """One trigger, for accounts of its tenant and currency (empty = any).

    ``account_id``, ``set_id`` and ``price_plan_id`` narrow it to one account, to the accounts that have this set of
    triggers, or to those that pay for a subscriber who has the plan. ``threshold`` and what is compared with it count
    micro-units if the filter's kind is monetary, else seconds, octets or events. ``window_s`` is that of SPENT. It is
    in force from ``active_from`` and before ``expires_at``. A counter that is ``monthly`` begins at zero with each
    calendar month of the tenant, and its trigger may fire again then. The highest ``weight`` comes first. ``actions``
    is the id of an action group for the rooms above.
    """

    trigger_id: int
    tenant: str
    currency: str
    kind: str
    threshold: int
    action: str = TriggerAction.NOTIFY
    filter: BalanceFilter = DEFAULT_FILTER
    window_s: int = 0
    account_id: int | None = None
    price_plan_id: int | None = None
    set_id: int | None = None
    recurrent: bool = False
    min_sleep_s: int = 0
    active_from: datetime | None = None
    expires_at: datetime | None = None
    monthly: bool = False
    weight: Decimal = Decimal(0)
    actions: str = ""

    def is_in_force(self, now: datetime) -> bool:
        if self.active_from is not None and now < self.active_from:
            return False
        return self.expires_at is None or now < self.expires_at


class TriggerBook(NamedTuple):
    """All triggers that are switched on, by what they are for.

    ``has_state``: some must remember what they counted. ``watches_movements``: some look at movements of balances.
    """

    of_tenant: Mapping[str, tuple[Trigger, ...]]
    of_plan: Mapping[int, tuple[Trigger, ...]]
    of_account: Mapping[int, tuple[Trigger, ...]]
    of_set: Mapping[int, tuple[Trigger, ...]]
    has_state: bool = False
    counts_events: bool = False
    watches_movements: bool = True

    def concerning(
        self,
        account_id: int,
        tenant: str,
        currency: str,
        price_plan_ids: Iterable[int],
        set_id: int | None,
        now: datetime,
    ) -> list[Trigger]:
        """The triggers in force of an account of this tenant and currency that pays for these price plans, in order."""
        found = [*self.of_tenant.get(tenant, ()), *self.of_account.get(account_id, ())]
        if set_id is not None:
            found += self.of_set.get(set_id, ())
        for price_plan_id in price_plan_ids:
            found += self.of_plan.get(price_plan_id, ())
        fitting = [
            trigger
            for trigger in found
            if trigger.tenant == tenant and trigger.currency in ("", currency) and trigger.is_in_force(now)
        ]
        fitting.sort(key=_order)
        return fitting

    def may_concern(self, account_id: int | None, tenant: str, set_id: int | None) -> bool:
        """Whether the account may have triggers, by what is known of it without asking the database."""
        return (
            bool(self.of_plan)
            or account_id in self.of_account
            or tenant in self.of_tenant
            or set_id in self.of_set
        )


def _order(trigger: Trigger) -> tuple[Decimal, int]:
    return -trigger.weight, trigger.trigger_id


def trigger_book(triggers: Iterable[Trigger]) -> TriggerBook | None:
    """The triggers in their places; None if there are none."""
    of_tenant: dict[str, tuple[Trigger, ...]] = {}
    of_plan: dict[int, tuple[Trigger, ...]] = {}
    of_account: dict[int, tuple[Trigger, ...]] = {}
    of_set: dict[int, tuple[Trigger, ...]] = {}
    kinds = set()
    for trigger in triggers:
        kinds.add(trigger.kind)
        if trigger.account_id is not None:
            _put(of_account, trigger.account_id, trigger)
        elif trigger.set_id is not None:
            _put(of_set, trigger.set_id, trigger)
        elif trigger.price_plan_id is not None:
            _put(of_plan, trigger.price_plan_id, trigger)
        else:
            _put(of_tenant, trigger.tenant, trigger)
    if not kinds:
        return None
    return TriggerBook(
        of_tenant,
        of_plan,
        of_account,
        of_set,
        bool(kinds & WITH_A_STATE),
        bool(kinds & EVENT_COUNTERS),
        bool(kinds - EVENT_COUNTERS - {TriggerKind.BALANCE_EXPIRED}),
    )


def _put(places: dict[Any, tuple[Trigger, ...]], key: object, trigger: Trigger) -> None:
    places[key] = (*places.get(key, ()), trigger)


def sentence(
    kind: str,
    threshold: int,
    value: int,
    currency: str,
    tag: str,
    window_s: int | None,
    balance_kind: str = BalanceKind.MONETARY,
) -> str:
    """What happened, for people: “balance *default fell below 5.00 EUR, to 4.95 EUR”."""
    came, limit = amount_text(value, balance_kind, currency), amount_text(threshold, balance_kind, currency)
    if kind == TriggerKind.SPENT:
        hours = (window_s or 0) / 3600
        within = "an hour" if hours == 1 else f"{hours:g} hours"
        return f"spent {came} within {within}, more than {limit}"
    if kind in COUNTERS:
        what = "used" if kind in EVENT_COUNTERS else f"usage took off balance {tag}" if tag else "usage took"
        return f"{what} {came}, threshold {limit}"
    if kind == TriggerKind.BALANCE_EXPIRED:
        return f"balance {tag} has expired with {came}" if tag else f"a balance has expired with {came}"
    went, to = _WENT[TriggerKind(kind)]
    return f"balance {tag or '(any)'} {went} {limit}{to} {came}"


_WENT = {
    TriggerKind.BELOW: ("fell below", ", to"),
    TriggerKind.ABOVE: ("rose above", ", to"),
    TriggerKind.MIN_BALANCE: ("is down at", ":"),
    TriggerKind.MAX_BALANCE: ("is up at", ":"),
}


def amount_text(amount: int, balance_kind: str, currency: str) -> str:
    """Micro-units as money, anything else with the name of its units: ``5.00 EUR``, ``60 seconds``."""
    if balance_kind == BalanceKind.MONETARY:
        return format_money(amount, currency) if currency else format_micros(amount, 2)
    return f"{amount:,} {_UNITS.get(balance_kind, 'units')}"


_UNITS: dict[str, str] = {
    BalanceKind.VOICE: "seconds",
    BalanceKind.DATA: "octets",
    BalanceKind.SMS: "messages",
}
