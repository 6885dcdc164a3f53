"""How a piece of usage is paid: unit balances first, then money, each in its order of use.

:class:`Spender` answers what a number of units takes from which balance, without changing anything; the caller
then holds or debits it. Where a session was split does not matter: a meter knows what its last increments
cover and who was paying, so the pieces take together what the whole would have taken.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from apps.charging.domain.balances import (
    MONEY,
    Balance,
    Candidate,
    FreeTerms,
    Group,
    Use,
    candidates,
    free_increment,
    free_terms,
    kinds_for,
    next_change,
)
from apps.charging.domain.sessions import FREE_RUN, Passed, Reading
from apps.charging.domain.tariff_change import change_of_rates, same_rates
from apps.rating.domain import RatedUsage, Rater, Usage
from apps.rating.domain.usage import VOICE

NO_LIMIT = 1 << 61
_NOTHING: Mapping[int, int] = {}


class Draw(NamedTuple):
    """What paying for a piece takes. ``reached`` is the session position up to which it is paid.

    ``takes`` are amounts by balance, in order of use. ``free_units`` were paid by unit balances without a price;
    ``unpaid_micros`` is the price that nothing could pay (only where usage had happened already). The rest is
    how the meter goes on.
    """

    reached: int
    takes: Mapping[int, int]
    cost_micros: int
    unpaid_micros: int
    free_units: int
    covered: int
    run: str
    run_from: int
    passed: tuple[Passed, ...] = ()


class Spender(NamedTuple):
    """Who spends, on what: an account's balances in view of one service and number.

    ``balances`` are all that may matter: the account's own, those shared with it and the subscriber's free
    units. ``money_of`` is the rating subject that prices what is paid with money. ``overdrawn`` is the balance
    that may fall below zero without limit, where the account allows it. ``only`` is the balance that is all there
    is, if it is one of money that pays for everything at any time.
    """

    rater: Rater
    use: Use
    destination: str
    money_of: str
    account_id: int
    balances: Mapping[int, Balance]
    groups: Mapping[int, Group]
    seed: str
    overdrawn: int | None = None
    only: int | None = None

    def draw(self, meter: Reading, amount: int, *, forced: bool = False) -> Draw:
        """Pay for the ``amount`` units that follow ``meter.position``, as far as the balances reach.

        With ``forced`` the usage has happened: what nothing can pay is unpaid, and a maximum cost stops nothing.
        Raises RatingError where a price is needed and there is none.
        """
        if self.only is not None and not meter.run.startswith(FREE_RUN):
            draw = self._draw_from_one(self.only, meter, amount, forced)
            if draw is not None:
                return draw
        drawing = _Drawing(self, meter, amount, forced)
        drawing.run_out()
        return drawing.result()

    def _draw_from_one(self, balance_id: int, meter: Reading, amount: int, forced: bool) -> Draw | None:
        """:meth:`draw` where one balance of money without terms is all there is; None if it is not enough.

        That is most accounts at most times, and a quarter of the work.
        """
        position, covered = meter.position, meter.covered
        end = position + amount
        start = covered if covered > position else position
        if start >= end:
            return Draw(end, _NOTHING, 0, 0, 0, covered, meter.run, meter.run_from, meter.passed)
        subject = self.money_of
        run_from = meter.run_from if meter.run == subject else start
        use = self.use
        usage = Usage(
            use.tenant,
            use.category,
            subject,
            use.type_of_record,
            self.destination,
            self.instant(meter, start),
            end - start,
        )
        balance = self.balances[balance_id]
        budget = balance.value - balance.reserved
        if self.overdrawn is not None:
            budget = NO_LIMIT
        if forced:
            part = end - start
            rated = self.rater.rate(usage, start, run_from)
        else:
            part, rated = self.rater.rate_within(usage, budget, start, run_from)
        cost = rated.cost_micros
        if part <= 0 or cost > budget or cost < 0:
            return None
        paid_to = start + (rated.billed_usage if rated.billed_usage > part else part)
        return Draw(
            paid_to if paid_to < end else end,
            {balance_id: cost} if cost else _NOTHING,
            cost,
            0,
            0,
            paid_to,
            subject,
            run_from,
            meter.passed,
        )

    def price(self, subject: str, meter: Reading, position: int, amount: int, run_from: int) -> RatedUsage:
        """The price of ``amount`` units from ``position`` under ``subject``."""
        return self.rater.rate(self.usage(subject, meter, position, amount), position, run_from)

    def usage(self, subject: str, meter: Reading, position: int, amount: int) -> Usage:
        use = self.use
        return Usage(
            use.tenant,
            use.category,
            subject,
            use.type_of_record,
            self.destination,
            self.instant(meter, position),
            amount,
        )

    def instant(self, meter: Reading, position: int) -> datetime:
        """When the unit at ``position`` is used: voice moves with the clock, other usage stays at its report."""
        if self.use.type_of_record == VOICE:
            return meter.started_at + timedelta(seconds=position)
        return meter.reported_at


class _Drawing:
    """One draw under way; the only thing here that changes."""

    __slots__ = (
        "amount_end",
        "blocked",
        "cost",
        "covered",
        "forced",
        "free",
        "left",
        "meter",
        "money",
        "passed",
        "position",
        "run",
        "run_from",
        "spender",
        "takes",
        "unpaid",
    )

    def __init__(self, spender: Spender, meter: Reading, amount: int, forced: bool) -> None:
        self.spender, self.meter, self.forced = spender, meter, forced
        self.position = meter.position
        self.amount_end = meter.position + amount
        self.covered, self.run, self.run_from = meter.covered, meter.run, meter.run_from
        self.passed = {passed[0]: passed for passed in meter.passed}
        self.left: dict[int, int] = {}
        self.takes: dict[int, int] = {}
        self.money: list[Candidate] = []
        self.blocked = False
        self.cost = self.unpaid = self.free = 0

    def run_out(self) -> None:
        """Pay on until the end of the piece, or until nothing pays any more."""
        changeable, subjects = self._what_may_change()
        while True:
            if self.covered > self.position:
                paid = min(self.covered, self.amount_end)
                if self.run.startswith(FREE_RUN):
                    self.free += paid - self.position
                self.position = paid
            if self.position >= self.amount_end:
                return
            end = self.amount_end
            if changeable:
                end = self._next_cut(changeable, end)
            if subjects:
                end = self._next_rates(subjects, end)
            self._pay(end)
            if self.position < end:
                if not self.forced:
                    return
                self._owe(end)

    def result(self) -> Draw:
        return Draw(
            self.position,
            self.takes,
            self.cost,
            self.unpaid,
            self.free,
            self.covered,
            self.run,
            self.run_from,
            tuple(self.passed.values()),
        )

    def _what_may_change(self) -> tuple[list[Balance], set[str]]:
        """What begins or ceases while a call goes on: the use of balances, and the rates of units at a price."""
        spender = self.spender
        if spender.use.type_of_record != VOICE:
            return [], set()
        balances = spender.balances.values()
        subjects = {balance.rating_subject for balance in balances if balance.kind != "monetary"}
        subjects.update(subject for group in spender.groups.values() for _, subject in group.terms.values())
        return (
            [
                balance
                for balance in balances
                if balance.timings or balance.expires_at is not None or balance.active_from is not None
            ],
            {subject for subject in subjects if free_increment(subject) is None},
        )

    def _next_rates(self, subjects: set[str], end: int) -> int:
        """A call is cut where the rates of units at a price change as well: one that was passed over may pay then."""
        spender, position = self.spender, self.position
        for subject in subjects:
            usage = spender.usage(subject, self.meter, position, 1)
            change = change_of_rates(spender.rater, usage, end - position)
            if change is not None:
                end = min(end, position + max(math.ceil(change - usage.start.timestamp()), 1))
        return end

    def _next_cut(self, changeable: list[Balance], end: int) -> int:
        """A call is cut where a balance begins or ceases to be usable, so that splits elsewhere do not matter."""
        now = self.spender.instant(self.meter, self.position)
        then = self.spender.instant(self.meter, end)
        cut = next_change(changeable, now, then, self.spender.use.zone)
        seconds = -((now - cut) // timedelta(seconds=1))
        return min(self.position + max(seconds, 1), end)

    def _pay(self, end: int) -> None:
        """The chain at the current position: unit balances, then money, until ``end`` or a blocker."""
        spender, use = self.spender, self.spender.use
        instant = spender.instant(self.meter, self.position)
        self.money = self._candidates(MONEY, instant)
        self.blocked = False
        # Where all balances are money there is nothing to look through.
        if len(self.money) < len(spender.balances):
            for candidate in self._candidates(kinds_for(use.type_of_record), instant):
                terms = free_terms(candidate.balance, candidate.rating_subject, use.type_of_record)
                if terms is not None:
                    self._pay_with_free_units(candidate.balance, terms, end)
                else:
                    self._pay_with_priced_units_or_pass(candidate, end)
                if self.position >= end:
                    return
                if candidate.balance.blocker:
                    self.blocked = True
                    return
        self._pay_with_money(end)

    def _candidates(self, kinds: frozenset[str], instant: datetime) -> list[Candidate]:
        spender = self.spender
        return candidates(
            spender.balances.values(),
            spender.account_id,
            spender.groups,
            spender.use,
            kinds,
            instant,
            spender.rater.tariff,
            spender.seed,
        )

    def _available(self, balance: Balance) -> int:
        left = self.left.get(balance.balance_id)
        return balance.available if left is None else left

    def _take(self, balance: Balance, amount: int) -> None:
        self.left[balance.balance_id] = self._available(balance) - amount
        self.takes[balance.balance_id] = self.takes.get(balance.balance_id, 0) + amount

    def _reach(self, end: int, covered: int, run: str, run_from: int) -> None:
        self.covered, self.run, self.run_from = covered, run, run_from
        self.position = min(covered, end)

    def _pay_with_free_units(self, balance: Balance, terms: FreeTerms, end: int) -> None:
        start = self.position
        increments = min(-((start - end) // terms.increment), self._available(balance) // terms.price)
        if increments <= 0:
            return
        if balance.counter is not None:
            # A hole in the tariff shows instead of being free, as it does for records from files.
            self.spender.price(self.spender.money_of, self.meter, start, end - start, end)
        self._take(balance, increments * terms.price)
        run = f"{FREE_RUN}{balance.balance_id}"
        run_from = self.run_from if self.run == run else start
        self._reach(end, start + increments * terms.increment, run, run_from)
        self.free += self.position - start

    def _pay_with_priced_units_or_pass(self, candidate: Candidate, end: int) -> None:
        """Once such a balance does not buy the next increment, another run of it, which would round anew, does not
        begin before there is more or other rates apply: else a split could bring one about that the whole has not."""
        balance = candidate.balance
        passed = self.passed.get(balance.balance_id)
        if (
            passed is not None
            and self._available(balance) <= passed[1]
            and self._budget() <= passed[2]
            and same_rates(self.spender.rater, self._next_unit(candidate.rating_subject), passed[3])
        ):
            return
        self._pay_with_priced_units(candidate, end)
        if self.position < end:
            at = int(self.spender.instant(self.meter, self.position).timestamp())
            left = self._available(balance), self._budget()
            self.passed[balance.balance_id] = (balance.balance_id, *left, at)

    def _next_unit(self, subject: str) -> Usage:
        return self.spender.usage(subject, self.meter, self.position, 1)

    def _pay_with_priced_units(self, candidate: Candidate, end: int) -> None:
        """Units of the balance and money at the rate of its subject, both for whole increments of that rate."""
        balance, subject = candidate.balance, candidate.rating_subject
        available = self._available(balance)
        if available <= 0:
            return
        start = self.position
        run_from = self.run_from if self.run == subject else start
        amount = min(end - start, available)
        budget = self._budget()
        rated = self._price(subject, amount, run_from)
        if rated.billed_usage > available:
            amount = self._largest_within(available, amount, subject, run_from)
            rated = self._price(subject, amount, run_from)
        if rated.cost_micros > budget:
            usage = self.spender.usage(subject, self.meter, start, amount)
            amount, rated = self.spender.rater.rate_within(usage, budget, start, run_from)
        if amount <= 0:
            return
        self._take(balance, rated.billed_usage)
        self._spread(rated.cost_micros)
        self._reach(end, start + max(rated.billed_usage, amount), subject, run_from)

    def _largest_within(self, units: int, amount: int, subject: str, run_from: int) -> int:
        """The largest amount of usage that bills at most ``units``."""
        low, high = 0, amount
        while low < high:
            middle = (low + high + 1) // 2
            if self._price(subject, middle, run_from).billed_usage <= units:
                low = middle
            else:
                high = middle - 1
        return low

    def _pay_with_money(self, end: int) -> None:
        spender, start = self.spender, self.position
        subject = spender.money_of
        run_from = self.run_from if self.run == subject else start
        budget = self._budget()
        usage = spender.usage(subject, self.meter, start, end - start)
        amount = end - start
        if self.forced:
            rated = spender.rater.rate(usage, start, run_from)
            if rated.cost_micros > budget:
                amount, rated = spender.rater.rate_within(usage, budget, start, run_from)
        else:
            amount, rated = spender.rater.rate_within(usage, budget, start, run_from)
        if amount <= 0:
            return
        self._spread(rated.cost_micros)
        self._reach(end, start + max(rated.billed_usage, amount), subject, run_from)

    def _owe(self, end: int) -> None:
        """Usage that has happened and cannot be paid in full: take what money there is, and note the rest."""
        subject, start = self.spender.money_of, self.position
        run_from = self.run_from if self.run == subject else start
        rated = self._price(subject, end - start, run_from)
        paid = 0 if self.blocked else min(rated.cost_micros, self._budget())
        self._spread(paid)
        self.unpaid += rated.cost_micros - paid
        self._reach(end, max(start + rated.billed_usage, end), subject, run_from)

    def _price(self, subject: str, amount: int, run_from: int) -> RatedUsage:
        return self.spender.price(subject, self.meter, self.position, amount, run_from)

    def _budget(self) -> int:
        """How much money the chain has from here: all balances up to a blocker, or no limit at all.

        What one of them is short of is no debt of the others, and none that usage pays back.
        """
        total = 0
        for candidate in self.money:
            total += max(self._available(candidate.balance), 0)
            if candidate.balance.blocker:
                return total
        return total if self.spender.overdrawn is None else NO_LIMIT

    def _spread(self, cost: int) -> None:
        """Take ``cost`` from the money balances in their order, and a shortfall from the default one."""
        self.cost += cost
        for candidate in self.money:
            part = min(cost, max(self._available(candidate.balance), 0))
            if part:
                self._take(candidate.balance, part)
                cost -= part
            if candidate.balance.blocker:
                break
        if not cost:
            return
        # Only an account that may go below zero, or a rounding that turned back, leaves something here.
        if self.spender.overdrawn is not None:
            self._take(self.spender.balances[self.spender.overdrawn], cost)
        elif self.money:
            self._take(self.money[0].balance, cost)
