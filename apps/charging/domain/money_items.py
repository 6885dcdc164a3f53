"""Items that ask for money itself (CC-Money): nothing is rated, the amount is what it costs."""

from __future__ import annotations

from datetime import datetime

from apps.charging.domain.balances import BalanceKind, is_usable, memberships, with_shared
from apps.charging.domain.books import Books
from apps.charging.domain.member_limits import Room
from apps.charging.domain.policies import QuotaPolicy
from apps.charging.domain.requests import RequestItem
from apps.charging.domain.state import Account, State
from apps.kernel.errors import InvalidInput

MONEY_RUN = "*money"
"""``Meter.run`` of a quota that is out in money."""
_MONEY_TYPE = "monetary:"
_ANY_POLICY = QuotaPolicy(default_units=0)


def money_type(currency: str) -> str:
    """``AnswerItem.type_of_record`` of a grant in money, which counts micro-units of the currency."""
    return f"{_MONEY_TYPE}{currency}"


def currency_of(type_of_record: str) -> str:
    """The currency of a grant in money; empty for any other."""
    return type_of_record[len(_MONEY_TYPE) :] if type_of_record.startswith(_MONEY_TYPE) else ""


def check_currency(item: RequestItem, account: Account | None) -> None:
    """Raise InvalidInput (``currency_differs``) if the amount is not in the account's currency."""
    if item.money_currency and account is not None and item.money_currency != account.currency:
        raise InvalidInput(
            f"the amount is in {item.money_currency}, account {account.number} is in {account.currency}",
            code="currency_differs",
        )


def may_owe(account: Account) -> bool:
    """Whether amounts may take the default balance below zero."""
    return account.allow_negative or not account.prepaid


def debtor_of(books: Books, account: Account) -> int | None:
    """The balance that may fall below zero; None if none may."""
    return books.default_balance(account).balance_id if may_owe(account) else None


def money_takes(
    state: State, books: Books, service_code: str, amount_micros: int, moment: datetime
) -> tuple[dict[int, int], int]:
    """What an amount takes from which balance, as far as they have it, and how much that is together.

    An amount has no destination, so balances for some destinations only are left alone.
    """
    account = state.account
    assert account is not None
    service = state.config.services.get(service_code)
    category = service.category if service is not None else ""
    balances = books.balances.values()
    usable = sorted(
        (
            balance
            for balance in balances
            if balance.account_id not in state.barred_members
            and balance.kind == BalanceKind.MONETARY
            and not balance.terms.included
            and is_usable(balance, category, moment, account.zone)
        ),
        key=lambda balance: (-balance.terms.weight, balance.balance_id),
    )
    groups = memberships(balances, account.account_id, state.config.groups)
    room = Room(books.members, account.account_id) if books.members else None
    rest = amount_micros
    takes: dict[int, int] = {}
    for balance, _ in with_shared(usable, account.account_id, groups, books.seed):
        part = min(rest, balance.available if room is None else room.within(balance, balance.available))
        if part > 0:
            takes[balance.balance_id] = part
            rest -= part
            if room is not None:
                room.take(balance, part)
        if balance.terms.blocker:
            break
    if rest and may_owe(account):
        balance = books.default_balance(account)
        takes[balance.balance_id] = takes.get(balance.balance_id, 0) + rest
        rest = 0
    return takes, amount_micros - rest


def money_policy(state: State, service_code: str, moment: datetime) -> QuotaPolicy:
    """Validity and final action of a grant in money: the service's under the plan, if any."""
    if service_code in state.config.services and state.line is not None:
        plan = state.line.plan_at(moment)
        if plan is not None:
            return state.config.policy(service_code, plan.price_plan_id)
    return _ANY_POLICY
