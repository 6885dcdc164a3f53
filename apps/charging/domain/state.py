"""What one request is charged against, and what comes of it: the values into and out of ``charge``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from apps.charging.domain.balances import Balance, Group
from apps.charging.domain.lines import CounterKey, Line, ServiceInfo
from apps.charging.domain.member_limits import NO_LIMITS, MemberLimits
from apps.charging.domain.modes import ChargingMode
from apps.charging.domain.money_bounds import MoneyBounds
from apps.charging.domain.policies import DEFAULT_POLICIES, ONE_EVENT, QuotaPolicy
from apps.charging.domain.requests import ChargingAnswer
from apps.charging.domain.sessions import Session
from apps.charging.domain.triggers import TriggerBook
from apps.kernel.units import VOICE_NS, TypeOfRecord

FIRST_NEW_ID = 1 << 61
"""Ids from here on (below minus this, for counters) are of rows that are not stored yet."""


class Account(NamedTuple):
    """Who pays. ``allow_negative`` lets its default balance go below zero.

    ``charging_mode`` is how its usage is charged, where not as usual.
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
    trigger_set_id: int | None = None
    charging_mode: str = ""

    def is_debited(self, mode: str) -> bool:
        """Whether usage is debited in real time; otherwise it is authorised, and charged by its records or not at all.

        ``mode`` is what the request says of it; empty: as the account's usage is charged.
        """
        mode = mode or self.charging_mode
        return self.prepaid and (not mode or mode == ChargingMode.PREPAID)

    @property
    def closed(self) -> bool:
        return self.barred and not self.bar_reason


class Counter(NamedTuple):
    """Free units used and reserved of one grant in one month. ``counter_id`` is negative: see Hold."""

    counter_id: int
    used: int
    reserved: int


GroupLimits = Mapping[tuple[int, str], int]
"""By member (0 = any other) and kind of balance."""


class ChargingConfig(NamedTuple):
    """What is the same for all requests of a moment: services, quota policies and shared groups.

    ``policies`` are by (service code, price plan id), and by (service code, 0) for all other plans. ``triggers`` see
    what requests have moved; None if there are none. ``has_fair_use``: a policy has a bound of free units.
    ``member_limits`` are those of groups that have some.
    """

    services: Mapping[str, ServiceInfo]
    policies: Mapping[tuple[str, int], QuotaPolicy]
    groups: Mapping[int, Group]
    triggers: TriggerBook | None = None
    has_fair_use: bool = False
    member_limits: Mapping[int, GroupLimits] = {}

    def policy(self, service: str, price_plan_id: int) -> QuotaPolicy:
        policy = self.policies.get((service, price_plan_id)) or self.policies.get((service, 0))
        type_of_record = self.services[service].type_of_record
        if type_of_record == VOICE_NS:
            return (policy or DEFAULT_POLICIES[TypeOfRecord.VOICE]).in_nanoseconds()
        return policy or DEFAULT_POLICIES.get(type_of_record, ONE_EVENT)


class State(NamedTuple):
    """One request's state: who asks, who pays, what they hold, and the session if there is one.

    ``balances`` are the account's and those of accounts that share with it, or of both sides of a transfer.
    ``line`` is None for an unknown subscriber, ``barred`` for one that is suspended. ``other`` is the receiving
    account of a transfer. A session that is opened takes ``new_session_row`` for its id, other new rows take ids
    from ``fresh_id`` upwards, which are replaced when they are stored. ``money_bounds`` are those of a request that
    moves money by amount; None = no bound. ``barred_members`` are accounts that share balances and are barred or
    closed: these do not pay for others. ``taken`` are earlier entries of usage and refunds, in the order of time: for a
    refund those of the account, for a total that falls those of the session. ``members`` are limits of what the account
    may use of others' balances.
    """

    config: ChargingConfig
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
    barred_members: frozenset[int] = frozenset()
    taken: Sequence[Entry] = ()
    members: MemberLimits = NO_LIMITS


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
    """What a request did: the answer, what there is afterwards (as in State), and the ledger entries in order."""

    answer: ChargingAnswer
    balances: Mapping[int, Balance]
    counters: Mapping[CounterKey, Counter]
    session: Session | None
    fresh_id: int
    money_bounds: MoneyBounds | None
    entries: Sequence[Entry] = ()
    members: MemberLimits = NO_LIMITS

    @classmethod
    def unchanged(cls, state: State, answer: ChargingAnswer) -> Outcome:
        """A request that changed nothing."""
        return cls(
            answer,
            state.balances,
            state.counters,
            state.session,
            state.fresh_id,
            state.money_bounds,
            members=state.members,
        )
