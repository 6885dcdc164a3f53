"""Movements of balances on request: top-up, adjustment, transfer."""

from __future__ import annotations

from datetime import datetime

from apps.charging.domain.answers import answer_of, refuse
from apps.charging.domain.balances import Balance, BalanceKind, BalanceTerms
from apps.charging.domain.books import Books
from apps.charging.domain.items import Refusal, moment_of
from apps.charging.domain.requests import BalanceOrder, OnlineRequest, Operation, Result
from apps.charging.domain.state import Account, Outcome, State
from apps.charging.domain.triggers import amount_text

TRANSFER_BOOK = "transfer"
# What the ledger calls the movement.
_KINDS = {Operation.TOP_UP: "top_up", Operation.ADJUST: "adjustment"}


def carry_out(state: State, books: Books, request: OnlineRequest, now: datetime) -> Outcome:
    """Carry out TOP_UP, ADJUST or TRANSFER as ``request.order`` says."""
    order = request.order
    refusal = _refusal(state, request, order)
    if refusal is None:
        assert order is not None
        assert state.account is not None
        moment = moment_of(request, now)
        if request.operation is Operation.TRANSFER:
            refusal = _transfer(state, books, order, moment)
        else:
            refusal = _move(state.account, books, order, _KINDS[request.operation], moment)
    if refusal is not None:
        return Outcome.unchanged(state, refuse(state, request, refusal))
    return books.outcome(answer_of(state, books, (), now), state.session)


def _refusal(state: State, request: OnlineRequest, order: BalanceOrder | None) -> Refusal | None:
    if order is None:
        return Refusal(
            Result.UNABLE_TO_COMPLY, "no_order", f"{request.operation} needs an order of what to move"
        )
    if state.account is None:
        return Refusal(Result.UNKNOWN_USER, "no_account", f"there is no account {order.account_id}")
    if state.account.closed and request.operation is not Operation.ADJUST:
        # A closed account can still be settled: what it holds is paid out, or written off, by an adjustment.
        return Refusal(Result.BARRED, "account_barred", f"account {state.account.number} is closed")
    if state.account.barred and request.operation is Operation.TRANSFER:
        # Money comes in, as it may be what lifts the bar, but is not taken elsewhere.
        why = f"account {state.account.number} is barred ({state.account.bar_reason})"
        return Refusal(Result.BARRED, "account_barred", why)
    if order.kind not in set(BalanceKind):
        return Refusal(
            Result.UNABLE_TO_COMPLY,
            "unknown_kind",
            f"“{order.kind}” is not a kind of balance; there are {', '.join(BalanceKind)}",
        )
    if order.amount == 0:
        return Refusal(Result.UNABLE_TO_COMPLY, "zero_amount", "an amount of zero moves nothing")
    if order.amount < 0 and request.operation is not Operation.ADJUST:
        return Refusal(Result.UNABLE_TO_COMPLY, "negative_amount", "the amount must be positive")
    return None


def _move(account: Account, books: Books, order: BalanceOrder, kind: str, moment: datetime) -> Refusal | None:
    balance = _find(books, order.account_id, order.tag, order.kind)
    if isinstance(balance, Refusal):
        return balance
    if order.amount < 0:
        overdraw = order.kind == BalanceKind.MONETARY and (account.allow_negative or order.may_overdraw)
        left = balance.value - balance.reserved if balance is not None else 0
        if left + order.amount < 0 and not overdraw:
            return _not_enough(order, left, account.currency)
    if balance is None:
        balance = books.add(
            Balance(
                books.new_id(),
                order.account_id,
                order.tag,
                order.kind,
                terms=BalanceTerms(weight=order.weight, expires_at=order.expires_at),
            )
        )
    elif (end := _end_after(balance.terms.expires_at, order, moment)) != balance.terms.expires_at:
        balance = books.add(balance._replace(terms=balance.terms._replace(expires_at=end)))
    books.post(
        balance.balance_id,
        order.amount,
        moment,
        kind,
        order.book,
        f"{books.cause}:0",
        order.note,
        overdraw=True,
    )
    return None


def _end_after(end: datetime | None, order: BalanceOrder, moment: datetime) -> datetime | None:
    """The end of a balance after the order: a credit prolongs it, and money that has no end keeps none.

    A credit without an end leaves the end alone, unless that has passed: the credit could not be used then.
    """
    if end is None or order.amount < 0:
        return end
    if order.expires_at is None:
        return None if end <= moment else end
    return max(end, order.expires_at)


def _transfer(state: State, books: Books, order: BalanceOrder, moment: datetime) -> Refusal | None:
    other = state.other
    if order.to_account_id is None or other is None:
        return Refusal(
            Result.UNKNOWN_USER, "no_account", f"there is no account {order.to_account_id} to transfer to"
        )
    if other.closed:
        return Refusal(Result.BARRED, "account_barred", f"account {other.number} is closed")
    assert state.account is not None
    if order.kind == BalanceKind.MONETARY and other.currency != state.account.currency:
        return Refusal(
            Result.UNABLE_TO_COMPLY,
            "currency_differs",
            f"account {other.number} is in {other.currency}, {state.account.number} in {state.account.currency}",
        )
    source = _find(books, order.account_id, order.tag, order.kind)
    target = _find(books, other.account_id, order.to_tag, order.kind)
    if isinstance(source, Refusal):
        return source
    if isinstance(target, Refusal):
        return target
    left = source.value - source.reserved if source is not None else 0
    if source is not None and source.used_part:
        # The rest of the unit that is in use stays.
        left -= 1
    if source is None or left < order.amount:
        return _not_enough(order, left, state.account.currency)
    if target is None:
        target = books.add(
            Balance(
                books.new_id(),
                other.account_id,
                order.to_tag,
                order.kind,
                terms=BalanceTerms(weight=order.weight, expires_at=order.expires_at),
            )
        )
    if target.balance_id == source.balance_id:
        return Refusal(Result.UNABLE_TO_COMPLY, "same_balance", "a balance cannot be transferred to itself")
    kind = str(Operation.TRANSFER)
    books.post(
        source.balance_id, -order.amount, moment, kind, TRANSFER_BOOK, f"{books.cause}:from", order.note
    )
    books.post(target.balance_id, order.amount, moment, kind, TRANSFER_BOOK, f"{books.cause}:to", order.note)
    return None


def _find(books: Books, account_id: int, tag: str, kind: str) -> Balance | Refusal | None:
    for balance in books.balances.values():
        if balance.account_id == account_id and balance.tag == tag:
            if balance.kind != kind:
                return Refusal(
                    Result.UNABLE_TO_COMPLY,
                    "kind_differs",
                    f"balance “{tag}” holds {balance.kind}, not {kind}; choose another tag",
                )
            return balance
    return None


def _not_enough(order: BalanceOrder, left: int, currency: str) -> Refusal:
    return Refusal(
        Result.CREDIT_LIMIT_REACHED,
        "credit_limit_reached",
        f"balance “{order.tag}” has {amount_text(max(left, 0), order.kind, currency)} left, which is less",
    )
