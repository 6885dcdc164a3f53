"""What earlier debits took, and how it goes back to where it was taken, the last first.

How much of a debit goes back is found by paying again for the usage that remains, from nothing but what the debit
took: so increments, factors, prices by position and connect fees are those of the debit. Source: CGRateS's refund of
increments, by the balances that paid them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from fractions import Fraction
from typing import NamedTuple

from apps.charging.domain.balances import (
    NOTHING,
    UNLIMITED_UNITS,
    Balance,
    BalanceKind,
    BalanceTerms,
    kind_for,
    parts_of_usage,
    precision,
)
from apps.charging.domain.books import REVENUE, USAGE, Books
from apps.charging.domain.items import LARGEST_OTHER_REPORT, LARGEST_REPORTS
from apps.charging.domain.member_limits import NO_LIMITS
from apps.charging.domain.sessions import Meter
from apps.charging.domain.spending import DebitPlan, Payment
from apps.charging.domain.state import Account, Entry
from apps.kernel.units import CALLS

REFUND = "refund"


class Debit:
    """One event, or one session's usage of a service: what it took of each balance, in units, in order of use."""

    __slots__ = ("at", "session_row", "takes")

    def __init__(self, at: datetime, session_row: int | None) -> None:
        self.at, self.session_row = at, session_row
        self.takes: dict[int, Fraction | int] = {}


_DEBIT = re.compile(r"(event:[^:]+:\d+|session:\d+):")
_EXACT = re.compile(r"(?:~(\d+))?=(\d+(?:/\d+)?)$")


def debits_of(entries: Iterable[Entry], service: str) -> list[Debit]:
    """The debits among the ``entries`` (in the order of time) for a service, less what has been given back since."""
    debits: dict[str, Debit] = {}
    for entry in entries:
        if entry.note != service and not entry.note.startswith(f"{service}, "):
            continue
        balance_id, amount = entry.balance_id, _amount(entry)
        if entry.kind == USAGE:
            named = _DEBIT.match(entry.cause)
            if named is not None and amount > 0:
                debit = debits.setdefault(named[1], Debit(entry.at, entry.session_row))
                debit.takes[balance_id] = debit.takes.get(balance_id, 0) + amount
            continue
        exact = _EXACT.search(entry.cause)
        if exact is not None and exact[1]:
            balance_id, amount = int(exact[1]), -Fraction(exact[2])
        left = -amount
        for debit in reversed(debits.values()):
            if debit.session_row == entry.session_row and balance_id in debit.takes:
                part = min(debit.takes[balance_id], left)
                debit.takes[balance_id] -= part
                left -= part
    return [debit for debit in debits.values() if any(debit.takes.values())]


def _amount(entry: Entry) -> Fraction | int:
    """What the entry took, exactly; below zero for what it gave back."""
    exact = _EXACT.search(entry.cause)
    if exact is not None and not exact[1]:
        return Fraction(exact[2]) if entry.kind == USAGE else -Fraction(exact[2])
    return entry.amount if entry.balance_id < 0 else -entry.amount


class Pool(NamedTuple):
    """What a debit took, as the only balances that there are: amounts in parts of their units, in order of use."""

    payment: Payment
    took: Mapping[int, int]

    def pay(self, meter: Meter, amount: int, *, forced: bool = False) -> DebitPlan:
        """Pay for ``amount`` units from the start of ``meter``, which has used nothing."""
        return self.payment.plan_debit(meter, amount, forced=forced)


def pool_of(debit: Debit, payment: Payment, books: Books, by_destination: bool = False) -> Pool | None:
    """The debit's pool, or None if one of its balances does not serve the destination (``by_destination``)."""
    use, prefix = payment.terms.use, payment.rater.matched_prefix(payment.destination)
    # A call's seconds are paid for as of when they were used, so all balances stand where they stood, with nothing if
    # nothing was taken of them; other usage was paid for at its reports, by one balance after the other.
    held: dict[int, Balance] = {}
    if use.type_of_record in CALLS:
        for balance_id, base in payment.balances.items():
            held[balance_id] = _holding(base, 0, base.terms._replace(disabled=False))
    took: dict[int, int] = {}
    for place, (balance_id, amount) in enumerate(debit.takes.items()):
        unknown = Balance(balance_id, payment.account_id, kind=kind_for(use.type_of_record))
        base = payment.balances.get(balance_id) or books.balances.get(balance_id, unknown)
        if base is unknown and balance_id > 0:
            continue
        if by_destination and precision(payment.rater.tariff, use.tenant, base, prefix) is None:
            return None
        terms = base.terms._replace(disabled=False)
        if use.type_of_record not in CALLS:
            base = base._replace(account_id=payment.account_id)
            terms = BalanceTerms(
                weight=-place, rating_subject=_subject(base, payment), factors=base.terms.factors
            )
        took[balance_id] = int(amount * base.parts)
        held[balance_id] = _holding(base, took[balance_id], terms)
    restricted = payment._replace(balances=held, overdrawn=None, only=None, copied=True, members=NO_LIMITS)
    return Pool(restricted, took)


def _holding(base: Balance, amount: int, terms: BalanceTerms) -> Balance:
    """The balance with ``amount`` parts of its unit and other terms; unlimited free units stay first of all."""
    whole, rest = divmod(-amount, base.parts)
    if base.value == UNLIMITED_UNITS and amount:
        return base._replace(reserved=UNLIMITED_UNITS - amount, terms=terms)
    used_part = Fraction(rest, base.parts) if rest else NOTHING
    return base._replace(value=-whole, reserved=0, terms=terms, used_part=used_part)


def _subject(balance: Balance, payment: Payment) -> str:
    """The rating subject by which the account uses the balance."""
    for group_id in balance.terms.groups:
        group = payment.groups.get(group_id)
        if group is not None and (subject := group.terms_of(payment.account_id)[1]):
            return subject
    return balance.terms.rating_subject


def largest_usage(pool: Pool, meter: Meter) -> int | None:
    """The most usage for which the pool pays; None if it would pay for any amount, so that it does not say."""
    most = LARGEST_REPORTS.get(pool.payment.terms.use.type_of_record, LARGEST_OTHER_REPORT)
    reached = pool.pay(meter, most).reached
    return None if reached >= most else reached


class Return(NamedTuple):
    """What goes back of one debit."""

    amounts: Mapping[int, int]
    session_row: int | None


class Giving:
    """Posts what goes back, the last that was taken first; ``money_micros`` is how much of it was money."""

    def __init__(
        self,
        books: Books,
        account: Account,
        service: str,
        at: datetime,
        piece: str,
        paid: tuple[Payment, Meter] | None = None,
    ) -> None:
        """``paid`` says what usage costs in money, for units that cannot go back; an amount of money needs none."""
        self.books, self.account, self.service, self.at, self.paid = books, account, service, at, paid
        self.cause, self.number = f"{books.cause}:{piece}", 0
        self.money_micros = 0

    def back(self, amounts: Mapping[int, int], session_row: int | None) -> None:
        """Give back ``amounts`` (in parts of units, in order of use) of the debit of a session, or of an event."""
        books, before = self.books, self.books.session_row
        books.session_row = session_row
        for balance_id, amount in reversed(list(amounts.items())):
            if amount > 0:
                self._one(balance_id, amount)
        books.session_row = before

    def money_in(self, returns: Iterable[Return]) -> tuple[int, int]:
        """How much money the returns are together, and how much of it was not money of the account when it was taken.

        That was money of others of a group, or units that have expired.
        """
        total = covered = 0
        for one in returns:
            for balance_id, amount in one.amounts.items():
                balance = self.books.balances.get(balance_id)
                if balance is None or amount <= 0:
                    continue
                micros = 0
                if balance.kind == BalanceKind.MONETARY:
                    micros = amount
                elif self._is_gone(balance):
                    micros = self._price(balance, amount)
                total += micros
                if balance.kind != BalanceKind.MONETARY or balance.account_id != self.account.account_id:
                    covered += micros
        return total, covered

    def onto_default(self, micros: int, note: str, cause: str = "") -> None:
        """Money onto the default balance."""
        balance = self.books.default_balance(self.account)
        self.money_micros += micros
        self._post(balance.balance_id, micros, note, cause)

    def _one(self, balance_id: int, amount: int) -> None:
        service, books = self.service, self.books
        if balance_id < 0:
            self._post(balance_id, amount, service)
            return
        balance = books.balances[balance_id]
        money = balance.kind == BalanceKind.MONETARY
        if self._is_gone(balance):
            micros = amount if money else self._price(balance, amount)
            exact = Fraction(amount, balance.parts)
            self.onto_default(
                micros, f"{service}, instead of {balance.tag}: expired", f"~{balance_id}={exact}"
            )
        elif balance.parts == 1:
            self.money_micros += amount if money else 0
            self._post(balance_id, amount, service)
        else:
            books.post_parts(balance_id, -amount, self.at, REFUND, self._cause(), service)

    def _price(self, balance: Balance, amount: int) -> int:
        """What the usage that these units paid for costs in money."""
        assert self.paid is not None
        payment, meter = self.paid
        parts, usage = parts_of_usage(balance, payment.terms.use.type_of_record)
        return payment.price(payment.terms.plan.subject, meter, 0, amount * usage // parts, 0).cost_micros

    def _is_gone(self, balance: Balance) -> bool:
        end = balance.terms.expires_at
        return end is not None and end <= self.at

    def _post(self, balance_id: int, amount: int, note: str, cause: str = "") -> None:
        self.books.post(balance_id, amount, self.at, REFUND, REVENUE, self._cause() + cause, note)

    def _cause(self) -> str:
        self.number += 1
        return f"{self.cause}:{self.number - 1}"


def difference(took: Mapping[int, int], takes: Mapping[int, int]) -> dict[int, int]:
    """What of ``took`` is not among ``takes``."""
    return {balance_id: amount - takes.get(balance_id, 0) for balance_id, amount in took.items()}


def returns_of_usage(
    debits: list[Debit], payment: Payment, books: Books, meter: Meter, amount: int
) -> tuple[list[Return], int]:
    """What goes back for ``amount`` units of usage, from the last debit on, and how many no debit was found for."""
    found = []
    for debit in reversed(debits):
        if amount <= 0:
            break
        began = meter._replace(started_at=debit.at, reported_at=debit.at)
        pool = pool_of(debit, payment, books, by_destination=True)
        if pool is None or not any(pool.took.values()):
            continue
        used = largest_usage(pool, began)
        if used == 0:
            continue
        if used is None or amount >= used:
            found.append(Return(pool.took, debit.session_row))
            amount -= amount if used is None else used
        else:
            kept = pool.pay(began, used - amount).takes
            found.append(Return(difference(pool.took, kept), debit.session_row))
            amount = 0
    return found, max(amount, 0)


def returns_of_money(debits: list[Debit], books: Books, amount: int) -> tuple[list[Return], int]:
    """What goes back for an amount of money, from the last debit on, and how much no debit was found for."""
    found = []
    for debit in reversed(debits):
        returned: dict[int, int] = {}
        for balance_id, taken in reversed(debit.takes.items()):
            balance = books.balances.get(balance_id)
            if balance is not None and balance.kind == BalanceKind.MONETARY:
                returned[balance_id] = min(amount, int(taken))
                amount -= returned[balance_id]
        found.append(Return(dict(reversed(returned.items())), debit.session_row))
    return found, amount
