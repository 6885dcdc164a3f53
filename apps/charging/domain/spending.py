"""How a piece of usage is paid: unit balances first, then money, each in its order of use.

:class:`Payment` answers what a number of units takes from which balance, without changing anything; the caller
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
    candidates,
    free_increment,
    free_terms,
    kinds_for,
    next_change,
    parts_of_usage,
)
from apps.charging.domain.lines import PayingTerms
from apps.charging.domain.member_limits import NO_LIMITS, MemberLimits, Room
from apps.charging.domain.sessions import FREE_RUN, Passed, Reading
from apps.charging.domain.tariff_change import change_of_rates, same_rates
from apps.kernel.units import CALLS, NANO, VOICE_NS, TypeOfRecord
from apps.rating.domain import RatedUsage, Rater, Usage

NO_LIMIT = 1 << 61
VOICE = TypeOfRecord.VOICE.value
_NOTHING: Mapping[int, int] = {}


class DebitPlan(NamedTuple):
    """What paying for a piece takes. ``reached`` is the session position up to which it is paid.

    ``takes`` are amounts by balance, in order of use (in parts of a unit where factors divide it). ``free_units`` were
    paid by unit balances without a price; ``unpaid_micros`` is the price that nothing could pay (only where usage had
    happened already). The rest is how the meter goes on.
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


class Payment(NamedTuple):
    """How usage of one service to one number is paid for: on which terms, and from which balances.

    ``balances`` are all that may matter: the account's own, those shared with it and the subscriber's free
    units. ``overdrawn`` is the balance that may fall below zero without limit, if the account allows it. ``only``
    is the balance that is all there is, if it is one of money that pays for everything at any time. ``postpaid`` usage
    is authorised without limit and billed from its records. A ``copied`` one has the balances as they were.
    ``members`` are the limits of what the account may use of others' balances.
    """

    rater: Rater
    terms: PayingTerms
    destination: str
    account_id: int
    balances: Mapping[int, Balance]
    groups: Mapping[int, Group]
    seed: str
    overdrawn: int | None
    only: int | None
    postpaid: bool
    copied: bool
    members: MemberLimits = NO_LIMITS

    def holds_for(self, meter: Reading) -> bool:
        """Whether the next piece of the meter's usage is paid for like this too.

        Not with copied balances, such as free units: they have to be looked at again after a debit.
        """
        terms = self.terms
        return not self.copied and (terms.use.type_of_record in CALLS or meter.reported_at < terms.plan.end)

    def plan_debit(self, meter: Reading, amount: int, *, forced: bool = False) -> DebitPlan:
        """Pay for the ``amount`` units that follow ``meter.position``, as far as the balances reach.

        With ``forced`` the usage has happened: what nothing can pay is unpaid, and a maximum cost stops nothing.
        Raises RatingError if a price is needed and there is none.
        """
        if self.only is not None and (meter.covered <= meter.position or not meter.run.startswith(FREE_RUN)):
            planned = self._plan_from_one(self.balances[self.only], meter, amount, forced)
            if planned is not None:
                return planned
        planning = _Planning(self, meter, amount, forced)
        planning.run_out()
        return planning.result()

    def _plan_from_one(self, balance: Balance, meter: Reading, amount: int, forced: bool) -> DebitPlan | None:
        """:meth:`plan_debit` for one plain balance of money, as most accounts have; None if it is short."""
        position, covered, run, run_from = meter.position, meter.covered, meter.run, meter.run_from
        end = position + amount
        start = covered if covered > position else position
        if start >= end:
            return DebitPlan(end, _NOTHING, 0, 0, 0, covered, run, run_from, meter.passed)
        subject = self.terms.plan.subject
        if run != subject:
            run_from = start
        part = end - start
        usage = self.usage(subject, meter, start, part)
        budget = balance.value - balance.reserved if self.overdrawn is None else NO_LIMIT
        if forced:
            rated = self.rater.rate(usage, start, run_from)
        else:
            part, rated = self.rater.rate_within(usage, budget, start, run_from)
        cost, billed = rated.cost_micros, rated.billed_usage
        if part <= 0 or not 0 <= cost <= budget:
            return None
        paid_to = start + (billed if billed > part else part)
        reached = paid_to if paid_to < end else end
        takes = {balance.balance_id: cost} if cost else _NOTHING
        return DebitPlan(reached, takes, cost, 0, 0, paid_to, subject, run_from, meter.passed)

    def price(self, subject: str, meter: Reading, position: int, amount: int, run_from: int) -> RatedUsage:
        """The price of ``amount`` units from ``position`` under ``subject``."""
        return self.rater.rate(self.usage(subject, meter, position, amount), position, run_from)

    def usage(self, subject: str, meter: Reading, position: int, amount: int) -> Usage:
        tenant, category, type_of_record, _ = self.terms.use
        if type_of_record == VOICE:
            at = meter.started_at + timedelta(seconds=position)
        elif type_of_record == VOICE_NS:
            at = meter.started_at.replace(microsecond=0) + timedelta(microseconds=position // 1_000)
        else:
            at = meter.reported_at
        return Usage(tenant, category, subject, type_of_record, self.destination, at, amount)

    def instant(self, meter: Reading, position: int) -> datetime:
        """When the unit at ``position`` is used: voice moves with the clock, other usage stays at its report.

        Also of nanoseconds the clock shows whole seconds: who pays changes between those.
        """
        if self.terms.use.type_of_record == VOICE:
            return meter.started_at + timedelta(seconds=position)
        if self.terms.use.type_of_record == VOICE_NS:
            return meter.started_at.replace(microsecond=0) + timedelta(seconds=position // NANO)
        return meter.reported_at


class _Planning:
    """One debit plan in the making; the only thing here that changes."""

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
        "payment",
        "position",
        "prefix",
        "room",
        "run",
        "run_from",
        "takes",
        "unpaid",
    )

    def __init__(self, payment: Payment, meter: Reading, amount: int, forced: bool) -> None:
        self.payment, self.meter, self.forced = payment, meter, forced
        self.prefix = payment.rater.matched_prefix(payment.destination)
        self.position = meter.position
        self.amount_end = meter.position + amount
        self.covered, self.run, self.run_from = meter.covered, meter.run, meter.run_from
        self.passed = {passed[0]: passed for passed in meter.passed}
        self.left: dict[int, int] = {}
        self.room = Room(payment.members, payment.account_id) if payment.members else None
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

    def result(self) -> DebitPlan:
        return DebitPlan(
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
        payment = self.payment
        if payment.terms.use.type_of_record not in CALLS:
            return [], set()
        balances = payment.balances.values()
        subjects = {balance.terms.rating_subject for balance in balances if balance.kind != "monetary"}
        subjects.update(subject for group in payment.groups.values() for _, subject in group.terms.values())
        return (
            [
                balance
                for balance in balances
                if balance.terms.timings
                or balance.terms.expires_at is not None
                or balance.terms.active_from is not None
            ],
            {subject for subject in subjects if free_increment(subject) is None},
        )

    def _next_rates(self, subjects: set[str], end: int) -> int:
        """A call is also cut at a change of the rates of units at a price: one that was passed over may pay then."""
        payment, position = self.payment, self.position
        for subject in subjects:
            usage = payment.usage(subject, self.meter, position, 1)
            scale = self.scale
            change = change_of_rates(payment.rater, usage, -(-(end - position) // scale))
            if change is not None:
                seconds = max(math.ceil(change - usage.start.timestamp()), 1)
                end = min(end, self._whole_second(position, seconds))
        return end

    def _next_cut(self, changeable: list[Balance], end: int) -> int:
        """A call is cut at the begin and end of a balance's validity, so that splits elsewhere do not matter."""
        now = self.payment.instant(self.meter, self.position)
        then = self.payment.instant(self.meter, end)
        cut = next_change(changeable, now, then, self.payment.terms.use.zone)
        seconds = -((now - cut) // timedelta(seconds=1))
        return min(self._whole_second(self.position, max(seconds, 1)), end)

    @property
    def scale(self) -> int:
        """How much usage is a second of the clock."""
        return NANO if self.payment.terms.use.type_of_record == VOICE_NS else 1

    def _whole_second(self, position: int, seconds: int) -> int:
        """The position so many whole seconds of the call on; a second that has begun is one of them."""
        scale = self.scale
        return (position // scale + seconds) * scale

    def _pay(self, end: int) -> None:
        """The chain at the current position: unit balances, then money, until ``end`` or a blocker."""
        payment, use = self.payment, self.payment.terms.use
        instant = payment.instant(self.meter, self.position)
        self.money = self._candidates(MONEY, instant)
        self.blocked = False
        # Where all balances are money there is nothing to look through.
        if len(self.money) < len(payment.balances):
            for candidate in self._candidates(kinds_for(use.type_of_record), instant):
                terms = free_terms(candidate.balance, candidate.rating_subject, use.type_of_record)
                if terms is not None:
                    self._pay_with_free_units(candidate.balance, terms, end)
                else:
                    self._pay_with_priced_units_or_pass(candidate, end)
                if self.position >= end:
                    return
                if candidate.balance.terms.blocker:
                    self.blocked = True
                    return
        self._pay_with_money(end)

    def _candidates(self, kinds: frozenset[str], instant: datetime) -> list[Candidate]:
        payment = self.payment
        return candidates(
            payment.balances.values(),
            payment.account_id,
            payment.groups,
            payment.terms.use,
            kinds,
            self.prefix,
            instant,
            payment.rater.tariff,
            payment.seed,
        )

    def _available(self, balance: Balance, room: Room | None = None) -> int:
        left = self.left.get(balance.balance_id)
        if left is None:
            left = balance.available_parts
        room = room or self.room
        return left if room is None else room.within(balance, left)

    def _take(self, balance: Balance, amount: int) -> None:
        self.left[balance.balance_id] = self._available(balance) - amount
        self.takes[balance.balance_id] = self.takes.get(balance.balance_id, 0) + amount
        if self.room is not None:
            self.room.take(balance, amount)

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
            self.payment.price(self.payment.terms.plan.subject, self.meter, start, end - start, end)
        self._take(balance, increments * terms.price)
        run = f"{FREE_RUN}{balance.balance_id}"
        run_from = self.run_from if self.run == run else start
        self._reach(end, start + increments * terms.increment, run, run_from)
        self.free += self.position - start

    def _pay_with_priced_units_or_pass(self, candidate: Candidate, end: int) -> None:
        """Once such a balance does not buy the next increment, another run of it, rounded again, does not
        begin before there is more or other rates apply: else a split could bring one about that the whole has not."""
        balance = candidate.balance
        passed = self.passed.get(balance.balance_id)
        if (
            passed is not None
            and self._available(balance) <= passed[1]
            and self._budget() <= passed[2]
            and same_rates(self.payment.rater, self._next_unit(candidate.rating_subject), passed[3])
        ):
            return
        self._pay_with_priced_units(candidate, end)
        if self.position < end:
            at = int(self.payment.instant(self.meter, self.position).timestamp())
            left = self._available(balance), self._budget()
            self.passed[balance.balance_id] = (balance.balance_id, *left, at)

    def _next_unit(self, subject: str) -> Usage:
        return self.payment.usage(subject, self.meter, self.position, 1)

    def _pay_with_priced_units(self, candidate: Candidate, end: int) -> None:
        """Units of the balance and money at the rate of its subject, both for whole increments of that rate."""
        balance, subject = candidate.balance, candidate.rating_subject
        parts, usage_of_parts = parts_of_usage(balance, self.payment.terms.use.type_of_record)
        start = self.position
        run_from = self.run_from if self.run == subject else start
        # Parts are counted from the beginning of the run on, so that nothing is lost where a session is split.
        before = -((run_from - start) * parts // usage_of_parts)
        available = (before + self._available(balance)) * usage_of_parts // parts - (start - run_from)
        if available <= 0:
            return
        amount = min(end - start, available)
        budget = self._budget()
        rated = self._price(subject, amount, run_from)
        if rated.billed_usage > available:
            amount = self._largest_within(available, amount, subject, run_from)
            rated = self._price(subject, amount, run_from)
        if rated.cost_micros > budget:
            usage = self.payment.usage(subject, self.meter, start, amount)
            amount, rated = self.payment.rater.rate_within(usage, budget, start, run_from)
        if amount <= 0:
            return
        paid_to = start + rated.billed_usage
        self._take(balance, -((run_from - paid_to) * parts // usage_of_parts) - before)
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
        payment, start = self.payment, self.position
        subject = payment.terms.plan.subject
        run_from = self.run_from if self.run == subject else start
        budget = self._budget()
        usage = payment.usage(subject, self.meter, start, end - start)
        amount = end - start
        if self.forced:
            rated = payment.rater.rate(usage, start, run_from)
            if rated.cost_micros > budget:
                amount, rated = payment.rater.rate_within(usage, budget, start, run_from)
        else:
            amount, rated = payment.rater.rate_within(usage, budget, start, run_from)
        if amount <= 0:
            return
        self._spread(rated.cost_micros)
        self._reach(end, start + max(rated.billed_usage, amount), subject, run_from)

    def _owe(self, end: int) -> None:
        """Usage that has happened and cannot be paid in full: take what money there is, and note the rest."""
        subject, start = self.payment.terms.plan.subject, self.position
        run_from = self.run_from if self.run == subject else start
        rated = self._price(subject, end - start, run_from)
        paid = 0 if self.blocked else min(rated.cost_micros, self._budget())
        self._spread(paid)
        self.unpaid += rated.cost_micros - paid
        self._reach(end, max(start + rated.billed_usage, end), subject, run_from)

    def _price(self, subject: str, amount: int, run_from: int) -> RatedUsage:
        return self.payment.price(subject, self.meter, self.position, amount, run_from)

    def _budget(self) -> int:
        """How much money the chain has from here: all balances up to a blocker, or no limit at all.

        What one of them is short of is no debt of the others, and none that usage pays back.
        """
        total = 0
        room = None if self.room is None else self.room.copy()
        for candidate in self.money:
            part = max(self._available(candidate.balance, room), 0)
            if room is not None:
                room.take(candidate.balance, part)
            total += part
            if candidate.balance.terms.blocker:
                return total
        return total if self.payment.overdrawn is None else NO_LIMIT

    def _spread(self, cost: int) -> None:
        """Take ``cost`` from the money balances in their order, and a shortfall from the default one."""
        self.cost += cost
        for candidate in self.money:
            part = min(cost, max(self._available(candidate.balance), 0))
            if part:
                self._take(candidate.balance, part)
                cost -= part
            if candidate.balance.terms.blocker:
                break
        if not cost:
            return
        # Only an account that may go below zero, or a rounding that turned back, leaves something here.
        if self.payment.overdrawn is not None:
            self._take(self.payment.balances[self.payment.overdrawn], cost)
        elif self.money:
            self._take(self.money[0].balance, cost)
