"""The working copy of one request: balances and counters on which amounts are held, given back and debited.

A reservation is a two-phase transfer: held (pending), then debited (posted) or given back (voided, expired). Only
a debit makes a ledger entry. A copy lives for one call of ``charge`` and is never seen outside of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from fractions import Fraction

from apps.charging.domain.balances import (
    ANY_USE,
    DEFAULT_TAG,
    NOTHING,
    Balance,
    BalanceKind,
    balance_of_grant,
)
from apps.charging.domain.lines import CounterKey, Grant
from apps.charging.domain.member_limits import counted
from apps.charging.domain.requests import ChargingAnswer
from apps.charging.domain.sessions import Hold, Session
from apps.charging.domain.state import Account, Counter, Entry, Outcome, State

_MONETARY = BalanceKind.MONETARY.value
USAGE = "usage"
REVENUE = "revenue"


class Books:
    """The balances and counters of one state, being changed.

    ``cause`` names the request in every entry; ``seed`` settles random orders, alike for a whole session.
    """

    __slots__ = (
        "_counter_balances",
        "balances",
        "cause",
        "counters",
        "entries",
        "fresh_id",
        "members",
        "money_bounds",
        "seed",
        "session_row",
        "state",
    )

    def __init__(self, state: State, cause: str, seed: str) -> None:
        self.state = state
        self.balances = dict(state.balances)
        self.counters = dict(state.counters)
        self.entries: list[Entry] = []
        self.fresh_id = state.fresh_id
        self.money_bounds = state.money_bounds
        self.members = state.members
        self.cause = cause
        self.seed = seed
        self.session_row: int | None = None
        self._counter_balances: dict[int, tuple[CounterKey, Grant, str]] = {}

    def new_id(self) -> int:
        """An id for a row that is not stored yet."""
        new_id, self.fresh_id = self.fresh_id, self.fresh_id + 1
        return new_id

    def with_grants(
        self,
        balances: Mapping[int, Balance],
        grants: tuple[tuple[CounterKey, Grant], ...],
        account_id: int,
        kind: str,
    ) -> Mapping[int, Balance]:
        """The ``balances`` together with free units of these grants, seen as unit balances."""
        seen = dict(balances)
        for key, grant in grants:
            counter = self.counters.get(key)
            if counter is None:
                counter = self.counters[key] = Counter(-self.new_id(), 0, 0)
            self._counter_balances[counter.counter_id] = (key, grant, kind)
            seen[counter.counter_id] = balance_of_grant(
                grant, key, counter.used, counter.reserved, account_id, counter.counter_id, kind
            )
        return seen

    def hold(self, takes: Mapping[int, int], overdrawn: int | None = None) -> tuple[Hold, ...]:
        """Reserve the amounts, in whole units; only the balance ``overdrawn`` may go below zero by it."""
        found = []
        for balance_id, amount in takes.items():
            if amount > 0:
                balance = self.balances.get(balance_id)
                if balance is not None and not balance.is_whole:
                    amount = math.ceil(Fraction(amount, balance.parts) + balance.used_part)
                found.append(Hold(balance_id, amount))
        holds = tuple(found)
        self._reserve(holds, 1)
        if overdrawn is not None and takes.get(overdrawn, 0) > 0:
            self._allow_what_is(overdrawn)
        return holds

    def void(self, holds: tuple[Hold, ...]) -> None:
        """Release the reservation."""
        self._reserve(holds, -1)

    def debit(
        self, takes: Mapping[int, int], at: datetime, piece: str, note: str, overdrawn: int | None = None
    ) -> None:
        """Take the amounts, each with its entry; only the balance ``overdrawn`` may go below zero by it.

        Causes count the takes: a balance may have no id yet that is worth writing down.
        """
        for number, (balance_id, amount) in enumerate(takes.items()):
            if not amount:
                continue
            cause = f"{self.cause}:{piece}:{number}"
            if self.members and balance_id > 0:
                self._count_use(balance_id, amount)
            balance = self.balances.get(balance_id)
            if balance is None or balance.is_whole or balance.parts == 1:
                self.post(balance_id, -amount, at, USAGE, REVENUE, cause, note, balance_id == overdrawn)
            else:
                self.post_parts(balance_id, amount, at, USAGE, cause, note)

    def post_parts(
        self, balance_id: int, amount: int, at: datetime, kind: str, cause: str, note: str
    ) -> None:
        """Take ``amount`` parts of a unit, or give them back if it is below zero.

        The entry has the whole units that this makes, and its cause says what it was exactly: ``…=1/2``.
        """
        before = self.balances[balance_id]
        after = self.balances[balance_id] = before.less(amount)
        cause = f"{cause}={Fraction(abs(amount), before.parts)}"
        self.entries.append(
            Entry(balance_id, at, kind, REVENUE, after.value - before.value, cause, note, self.session_row)
        )

    def post(
        self,
        balance_id: int,
        amount: int,
        at: datetime,
        kind: str,
        book: str,
        cause: str,
        note: str,
        overdraw: bool = False,
    ) -> None:
        """Add ``amount`` to the balance (or count it as used of a counter), with its entry.

        Only with ``overdraw`` may a monetary balance end below zero; the database refuses it otherwise.
        """
        if balance_id < 0:
            key = self._key_of(balance_id)
            counter = self.counters[key]
            self.counters[key] = counter._replace(used=counter.used - amount)
            amount = -amount
        else:
            balance = self.balances[balance_id]
            balance = balance.holding(balance.value + amount, balance.reserved)
            if balance.used_part is not NOTHING and not balance.value:
                # The rest of the unit that was in use has gone with it.
                balance = balance._replace(used_part=NOTHING)
            self.balances[balance_id] = balance
            if overdraw:
                self._allow_what_is(balance_id)
        self.entries.append(Entry(balance_id, at, kind, book, amount, cause, note, self.session_row))

    def default_balance(self, account: Account) -> Balance:
        """The account's default monetary balance; made if there is none."""
        for balance in self.balances.values():
            if (
                balance.account_id == account.account_id
                and balance.tag == DEFAULT_TAG
                and balance.kind == BalanceKind.MONETARY
            ):
                return balance
        return self.add(Balance(self.new_id(), account.account_id))

    def add(self, balance: Balance) -> Balance:
        self.balances[balance.balance_id] = balance
        return balance

    def money_left(self, account: Account, now: datetime) -> int:
        """The account's own money in all balances, filters ignored; debts count as negative."""
        total, account_id = 0, account.account_id
        for balance in self.balances.values():
            if balance.account_id != account_id or balance.kind != _MONETARY:
                continue
            terms = balance.terms
            if terms is not ANY_USE and (
                terms.disabled
                or (terms.expires_at is not None and terms.expires_at <= now)
                or (terms.active_from is not None and terms.active_from > now)
            ):
                continue
            total += balance.value - balance.reserved
        return total

    def outcome(self, answer: ChargingAnswer, session: Session | None) -> Outcome:
        """What was done, with the session as it is now."""
        return Outcome(
            answer,
            self.balances,
            self.counters,
            session,
            self.fresh_id,
            self.money_bounds,
            self.entries,
            self.members,
        )

    def _count_use(self, balance_id: int, amount: int) -> None:
        """Count parts of a unit of another member's balance, whole units of them, against the account's limits."""
        account, balance = self.state.account, self.balances[balance_id]
        if account is not None:
            used = math.ceil(Fraction(amount, balance.parts))
            self.members = counted(self.members, balance, account.account_id, used=used)

    def _allow_what_is(self, balance_id: int) -> None:
        balance = self.balances[balance_id]
        if balance.reserved - balance.value > balance.overdraft:
            self.balances[balance_id] = balance._replace(overdraft=balance.reserved - balance.value)

    def _key_of(self, counter_id: int) -> CounterKey:
        known = self._counter_balances.get(counter_id)
        if known is not None:
            return known[0]
        for key, counter in self.counters.items():
            if counter.counter_id == counter_id:
                return key
        raise LookupError(f"allowance counter {-counter_id} is not in the state")

    def _reserve(self, holds: tuple[Hold, ...], sign: int) -> None:
        for balance_id, amount in holds:
            if balance_id < 0:
                key = self._key_of(balance_id)
                counter = self.counters[key]
                self.counters[key] = counter._replace(reserved=counter.reserved + sign * amount)
            else:
                balance = self.balances[balance_id]
                self.balances[balance_id] = balance.holding(balance.value, balance.reserved + sign * amount)
                if self.members and self.state.account is not None:
                    account_id = self.state.account.account_id
                    self.members = counted(self.members, balance, account_id, held=sign * amount)
