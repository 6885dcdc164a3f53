"""``act``: a group of actions on one account, as a pure function over its balances. All of them happen, or none.

An amount is what the account has to spend afterwards: what open sessions hold stays theirs on top of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from apps.charging.domain.action_filters import is_met
from apps.charging.domain.balance_actions import (
    ERRANDS,
    MOST,
    NEEDS_AMOUNT,
    SWITCHES,
    Action,
    ActionKind,
    expiry_at,
    months_after,
    tag_for,
)
from apps.charging.domain.balances import DEFAULT_TAG, NOTHING, Balance, BalanceKind, BalanceTerms
from apps.charging.domain.books import Books
from apps.charging.domain.items import Refusal
from apps.charging.domain.requests import Result
from apps.charging.domain.rollover import Rollover
from apps.charging.domain.state import Account, ChargingConfig, Entry, State
from apps.charging.domain.triggers import amount_text

TOP_UP, ADJUSTMENT, TRANSFER = "top_up", "adjustment", "transfer"
PROMOTION, CORRECTION, TRANSFER_BOOK = "promotion", "correction", "transfer"
LONGEST_KEY = 80
"""Causes of ledger entries have 100 characters: ``action:<key>:<number of the action>:<piece>``."""


class Acted(NamedTuple):
    """What actions did to an account: its balances afterwards, the ledger entries, and what is left to others.

    ``switches`` change the account and its triggers in the same transaction; ``errands`` are carried out after it
    (each with its place in the order of the actions).
    """

    balances: Mapping[int, Balance]
    entries: Sequence[Entry]
    fresh_id: int
    switches: tuple[Action, ...] = ()
    errands: tuple[tuple[int, Action], ...] = ()


class Refused(Exception):
    """An action cannot be carried out, so none of its group is."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def act(
    account: Account,
    balances: Mapping[int, Balance],
    actions: Sequence[Action],
    key: str,
    at: datetime,
    fresh_id: int,
) -> Acted:
    """Carry out the actions, which :func:`in_order` has put into their order, with the value date ``at``.

    ``balances`` are the account's own. ``key`` names what caused it: the ledger takes each cause once. New balances get
    ids from ``fresh_id`` on. Raises Refused: account closed, not enough or too much on a balance, one of another kind.
    """
    if account.closed:
        raise Refused(Refusal(Result.BARRED, "account_closed", f"account {account.number} is closed"))
    state = State(_NO_CONFIG, None, account, balances, {}, None, fresh_id=fresh_id)
    books = Books(state, f"action:{key}", key)
    work = _Work(account, books, at)
    for number, action in enumerate(actions):
        if action.condition and not is_met(action.condition, list(books.balances.values()), at):
            continue
        work.take(number, action)
        handler = _HANDLERS.get(action.kind)
        if handler is not None:
            handler(work, action)
        if action.kind in SWITCHES:
            work.switches.append(action)
        elif action.kind in ERRANDS:
            work.errands.append((number, action))
    return Acted(books.balances, books.entries, books.fresh_id, tuple(work.switches), tuple(work.errands))


_NO_CONFIG = ChargingConfig({}, {}, {})


class _Work:
    """The account while its actions are carried out, one after the other."""

    __slots__ = ("account", "allow_negative", "at", "books", "errands", "number", "pieces", "switches")

    def __init__(self, account: Account, books: Books, at: datetime) -> None:
        self.account, self.books, self.at = account, books, at
        self.allow_negative = account.allow_negative
        self.number = self.pieces = 0
        self.switches: list[Action] = []
        self.errands: list[tuple[int, Action]] = []

    def take(self, number: int, action: Action) -> None:
        self.number, self.pieces = number, 0
        if action.amount is None and action.kind in NEEDS_AMOUNT:
            raise Refused(
                Refusal(Result.UNABLE_TO_COMPLY, "no_amount", f"{action.kind} does not say how many units")
            )
        if action.kind == ActionKind.ALLOW_NEGATIVE:
            self.allow_negative = True
        elif action.kind == ActionKind.DENY_NEGATIVE:
            self.allow_negative = False

    def is_over(self, balance: Balance) -> bool:
        return balance.terms.expires_at is not None and balance.terms.expires_at <= self.at

    def of_tag(self, tag: str, kind: str) -> Balance | None:
        for balance in self.books.balances.values():
            if balance.tag == tag:
                if balance.kind != kind:
                    message = f"balance “{tag}” holds {balance.kind}, not {kind}; choose another id"
                    raise Refused(Refusal(Result.UNABLE_TO_COMPLY, "kind_differs", message))
                return balance
        return None

    def matching(self, action: Action) -> list[Balance]:
        """The balances that have not ended and that the action names, by its id or by its terms; in order of use."""
        if action.tag:
            found = self.of_tag(action.tag, action.balance_kind)
            return [found] if found is not None and not self.is_over(found) else []
        several = [
            balance
            for balance in self.books.balances.values()
            if balance.kind == action.balance_kind
            and not self.is_over(balance)
            and action.selects(balance.terms)
        ]
        # Money with nothing stated is meant to be the account's own first of all.
        own = tag_for(action)
        return sorted(several, key=lambda b: (b.tag != own, -b.terms.weight, b.balance_id))

    def move(
        self, balance: Balance, amount: int, kind: str = ADJUSTMENT, book: str = CORRECTION, note: str = ""
    ) -> None:
        """Add ``amount``, with an entry of its own; nothing for 0. Below zero only money of an account that may."""
        if not amount:
            return
        left = balance.value - balance.reserved + amount
        if amount < 0 and left < 0 and not (self.allow_negative and balance.kind == BalanceKind.MONETARY):
            has = max(balance.value - balance.reserved, 0)
            whose = f"balance “{balance.tag}” of account {self.account.number}"
            there, wanted = (
                amount_text(value, balance.kind, self.account.currency) for value in (has, -amount)
            )
            message = f"{whose} has {there} left, less than {wanted}"
            raise Refused(Refusal(Result.CREDIT_LIMIT_REACHED, "credit_limit_reached", message))
        if abs(balance.value + amount) > max(MOST, abs(balance.value)):
            message = f"balance “{balance.tag}” of account {self.account.number} would be more than {MOST}"
            raise Refused(Refusal(Result.UNABLE_TO_COMPLY, "too_much", message))
        cause = f"{self.books.cause}:{self.number}:{self.pieces}"
        self.pieces += 1
        self.books.post(balance.balance_id, amount, self.at, kind, book, cause, note, overdraw=amount < 0)

    def set_to(self, balance: Balance, amount: int, kind: str = ADJUSTMENT, book: str = CORRECTION) -> None:
        self.move(balance, amount + balance.reserved - balance.value, kind, book)
        left = self.books.balances[balance.balance_id]
        if left.used_part:
            # It holds so many whole units now.
            self.books.add(left._replace(used_part=NOTHING))

    def write_off(self, balance: Balance, note: str = "") -> None:
        """Take what can be spent of it; a debt stays."""
        if (left := balance.value - balance.reserved) > 0:
            self.move(balance, -left, note=note)

    def roll_over(self, balance: Balance, rollover: Rollover) -> None:
        """Move units that the balance has left onto one for rolled units, and write the others off.

        Nothing rolls of a balance that ended before its units are renewed; one that ends just then is the usual case.
        """
        terms = balance.terms
        rolled = 0
        if terms.expires_at is None or terms.expires_at >= self.at:
            rolled = rollover.rolled(balance.available_parts // balance.parts)
        if rolled:
            weight = terms.weight + 1 if rollover.weight is None else rollover.weight
            end = months_after(self.at, rollover.months, self.account.zone)
            kept = self._for_rolled(balance, terms._replace(weight=weight, expires_at=end))
            self.move(balance, -rolled, TRANSFER, TRANSFER_BOOK, f"rolled over to {kept.tag}")
            self.move(self.now_of(kept), rolled, TRANSFER, TRANSFER_BOOK, f"rolled over from {balance.tag}")
        self.write_off(self.now_of(balance), "not rolled over")

    def _for_rolled(self, balance: Balance, terms: BalanceTerms) -> Balance:
        """The first balance of rolled units that have ended, or a new one; with the terms, and nothing to spend."""
        for number in range(1, len(self.books.balances) + 2):
            tag = f"{balance.tag}~{number}"
            kept = self.of_tag(tag, balance.kind)
            if kept is None:
                new_id = self.books.new_id()
                return self.books.add(
                    Balance(new_id, self.account.account_id, tag, balance.kind, terms=terms)
                )
            if self.is_over(kept):
                self.write_off(kept, "rolled over, and not used in time")
                return self.books.add(self.now_of(kept)._replace(terms=terms, used_part=NOTHING))
        raise AssertionError("more balances for rolled units than the account has balances")

    def new(self, action: Action, tag: str) -> Balance:
        terms = action.terms(expiry_at(action.expiry, self.at, self.account.zone))
        balance = Balance(self.books.new_id(), self.account.account_id, tag, action.balance_kind, terms=terms)
        return self.books.add(balance)

    def renewed(self, action: Action, balance: Balance, *, terms: bool) -> Balance:
        """The balance with the stated end, and with the stated ``terms`` if it takes these too."""
        end = balance.terms.expires_at
        if action.expiry:
            end = expiry_at(action.expiry, self.at, self.account.zone)
        elif self.is_over(balance):
            end = None
        after = action.terms(end, balance.terms) if terms else balance.terms._replace(expires_at=end)
        return balance if after == balance.terms else self.books.add(balance._replace(terms=after))

    def now_of(self, balance: Balance) -> Balance:
        return self.books.balances[balance.balance_id]


def _top_up(work: _Work, action: Action) -> None:
    amount, tag = action.amount or 0, tag_for(action)
    balance = work.of_tag(tag, action.balance_kind)
    if balance is None:
        work.move(work.new(action, tag), amount, TOP_UP, PROMOTION)
        return
    if action.rollover is not None:
        work.roll_over(balance, action.rollover)
        balance = work.now_of(balance)
    if work.is_over(balance):
        balance = _in_force(work, action, balance)
    elif action.kind == ActionKind.TOPUP_RESET:
        work.set_to(work.renewed(action, balance, terms=False), amount, TOP_UP, PROMOTION)
        return
    elif action.expiry:
        later = expiry_at(action.expiry, work.at, work.account.zone)
        end = balance.terms.expires_at
        if end is not None and (later is None or later > end):
            balance = work.books.add(balance._replace(terms=balance.terms._replace(expires_at=later)))
    work.move(balance, amount, TOP_UP, PROMOTION)


def _in_force(work: _Work, action: Action, balance: Balance) -> Balance:
    """The balance; one that has ended takes the stated terms, and what it had left does not come back."""
    if not work.is_over(balance):
        return balance
    work.write_off(balance)
    return work.renewed(action, work.now_of(balance), terms=True)


def _debit(work: _Work, action: Action) -> None:
    amount = action.amount or 0
    found = work.matching(action)
    if not found:
        if not amount:
            return
        name = tag_for(action)
        message = f"account {work.account.number} has no {action.balance_kind} balance “{name}” to debit"
        if name != DEFAULT_TAG or not work.allow_negative:
            raise Refused(Refusal(Result.CREDIT_LIMIT_REACHED, "credit_limit_reached", message))
        default = work.of_tag(name, action.balance_kind)
        found = [work.new(action, name) if default is None else _in_force(work, action, default)]
    balance = found[0]
    if action.kind == ActionKind.DEBIT_RESET:
        work.set_to(balance, 0)
        balance = work.now_of(balance)
    work.move(balance, -amount)


def _set_balance(work: _Work, action: Action) -> None:
    tag = tag_for(action)
    balance = work.of_tag(tag, action.balance_kind)
    if balance is None:
        balance = work.new(action, tag)
    else:
        balance = work.renewed(action, balance, terms=True)
    if action.amount is not None:
        work.set_to(balance, action.amount)


def _remove_balance(work: _Work, action: Action) -> None:
    for balance in work.matching(action):
        work.write_off(balance)
        if balance.tag != DEFAULT_TAG:
            # Its row stays, because the ledger refers to it; a later top-up gives it new terms.
            left = work.now_of(balance)
            work.books.add(left._replace(terms=left.terms._replace(expires_at=work.at)))


def _transfer_to_default(work: _Work, action: Action) -> None:
    for balance in work.matching(action._replace(balance_kind=BalanceKind.MONETARY)):
        amount = balance.value - balance.reserved
        if balance.tag == DEFAULT_TAG or amount <= 0:
            continue
        work.move(balance, -amount, TRANSFER, TRANSFER_BOOK)
        work.move(work.books.default_balance(work.account), amount, TRANSFER, TRANSFER_BOOK)


def _empty(work: _Work, action: Action) -> None:
    for balance in sorted(work.books.balances.values(), key=lambda b: b.balance_id):
        if balance.value < balance.reserved and work.account.prepaid:
            # What a postpaid account owes waits for its bill.
            work.move(balance, balance.reserved - balance.value)
        else:
            work.write_off(balance)


_HANDLERS: Mapping[str, Callable[[_Work, Action], None]] = {
    ActionKind.TOPUP: _top_up,
    ActionKind.TOPUP_RESET: _top_up,
    ActionKind.DEBIT: _debit,
    ActionKind.DEBIT_RESET: _debit,
    ActionKind.SET_BALANCE: _set_balance,
    ActionKind.REMOVE_BALANCE: _remove_balance,
    ActionKind.TRANSFER_MONETARY_DEFAULT: _transfer_to_default,
    ActionKind.RESET_ACCOUNT: _empty,
    ActionKind.REMOVE_ACCOUNT: _empty,
}
