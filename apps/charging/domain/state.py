"""What one request is charged against, and what comes of it: the values into and out of ``charge``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from apps.charging.domain.balances import Balance, Group
from apps.charging.domain.money_bounds import MoneyBounds
from apps.charging.domain.requests import ChargingAnswer, FinalUnit
from apps.charging.domain.sessions import Session
from apps.charging.domain.triggers import TriggerBook
from apps.charging.domain.usage_book import CounterKey, Line, ServiceInfo

FIRST_NEW_ID = 1 << 61
"""Ids from here on (below minus this, for counters) are of rows that are not stored yet."""


class Account(NamedTuple):
    """Who pays. ``allow_negative`` lets its default balance go below zero.

    ``barred`` is an account that is closed or, with a ``bar_reason``, barred for a time: money still comes in then.
    """

    account_id: int
    number: str
    tenant: str
    zone: ZoneInfo
    currency: str
    prepaid: bool
    allow_negative: bool = False
    barred: bool = False
    bar_reason: str = ""

    @property
    def closed(self) -> bool:
        return self.barred and not self.bar_reason


class Counter(NamedTuple):
    """Free units used and reserved of one grant in one month. ``counter_id`` is negative: see Hold."""

    counter_id: int
    used: int
    reserved: int


class QuotaPolicy(NamedTuple):
    """How quotas are given out for a service under a price plan.

    ``default_units`` is granted if the client lets the server decide, ``max_units`` bounds any grant (0: the bound of
    :data:`LARGEST_GRANTS`). Intervals are seconds; a grant is valid for ``validity_s``, and a session that is silent
    for twice that is ended. ``threshold_percent`` of the grant is left when the client should report early (0: it need
    not).
    """

    default_units: int
    max_units: int = 0
    validity_s: int = 600
    quota_holding_s: int | None = None
    threshold_percent: int = 0
    final: FinalUnit = FinalUnit()

    def units_to_grant(self, asked: int | None, type_of_record: str) -> int:
        """What is granted at most to a client that asks for so many units.

        None and 0 leave it to the server. Clients ask for the largest number that there is (2^32 - 1 seconds, 2^63
        octets) to get as much as possible.
        """
        if not asked:
            asked = self.default_units
        largest = self.max_units or max(self.default_units, LARGEST_GRANTS.get(type_of_record, MOST_EVENTS))
        return min(asked, largest)


LARGEST_GRANTS: Mapping[str, int] = {"voice": 86_400, "data": 10 * 1024 * 1024 * 1024}
"""Seconds and octets that one grant has at most under a policy without a bound of its own."""
MOST_EVENTS = 1_000
"""As :data:`LARGEST_GRANTS`, for everything that is counted."""


DEFAULT_POLICIES: Mapping[str, QuotaPolicy] = {
    "voice": QuotaPolicy(default_units=300),
    "data": QuotaPolicy(default_units=10 * 1024 * 1024),
}
"""By type of record, for a price plan without a policy of its own."""
ONE_EVENT = QuotaPolicy(default_units=1)
"""The policy of all other types: they count messages or events."""


class World(NamedTuple):
    """What is the same for all requests of a moment: services, quota policies and shared groups.

    ``policies`` are by (service code, price plan id), and by (service code, 0) for all other plans. ``triggers`` see
    what requests have moved; None where there are none.
    """

    services: Mapping[str, ServiceInfo]
    policies: Mapping[tuple[str, int], QuotaPolicy]
    groups: Mapping[int, Group]
    triggers: TriggerBook | None = None

    def policy(self, service: str, price_plan_id: int) -> QuotaPolicy:
        policy = self.policies.get((service, price_plan_id)) or self.policies.get((service, 0))
        return policy or DEFAULT_POLICIES.get(self.services[service].type_of_record, ONE_EVENT)


class State(NamedTuple):
    """One request's world: who asks, who pays, what they hold, and the session if there is one.

    ``balances`` are the account's and those of accounts that share with it, or of both sides of a transfer.
    ``line`` is None for an unknown subscriber, ``barred`` for one that is suspended. ``other`` is the receiving
    account of a transfer. A session that is opened takes ``new_session_row`` for its id, other new rows take ids
    from ``fresh_id`` upwards, which are replaced when they are stored. ``money_bounds`` are those of a request that
    moves money by amount; None = no bound.
    """

    world: World
    line: Line | None
    account: Account | None
    balances: Mapping[int, Balance]
    counters: Mapping[CounterKey, Counter]
    session: Session | None
    barred: bool = False
    other: Account | None = None
    new_session_row: int = 0
    fresh_id: int = FIRST_NEW_ID
    money_bounds: MoneyBounds | None = None


class Entry(NamedTuple):
    """A ledger entry: ``amount`` (micro-units or units of the balance) onto the balance, off the book.

    A ``balance_id`` below zero names an allowance counter, whose use is counted: ``amount`` units of it.
    """

    balance_id: int
    at: datetime
    kind: str
    book: str
    amount: int
    cause: str
    note: str
    session_row: int | None


class Outcome(NamedTuple):
    """What a request did: the state afterwards, the answer, and the ledger entries in order."""

    state: State
    answer: ChargingAnswer
    entries: tuple[Entry, ...]
