"""Operations about accounts, balances and their ledger."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

from apps.crm.domain.accounts import AccountView, BalanceOfAccount, BalanceView, LedgerEntryView, Moved
from apps.crm.domain.asked import (
    AccountRef,
    AccountsAsked,
    AdjustmentAsked,
    BalanceRef,
    LedgerAsked,
    TopUpAsked,
)
from apps.crm.domain.errors import Forbidden
from apps.crm.domain.operations import Call
from apps.crm.selectors import accounts as reads
from apps.crm.services import money
from apps.crm.services.money import LONGEST_KEY
from apps.kernel.errors import NotFound


def own_account(call: Call, account_id: int) -> int:
    """The account that is named; of a customer's own token, the one that pays for its subscriber, and no other."""
    if call.caller.subscriber_id is None:
        return account_id
    own = money.subscriber_account(call.tenant, call.caller.subscriber_id)
    if account_id not in (0, own):
        # The same whether there is such an account or not.
        raise Forbidden("a self-care token is for its own account alone", where="account_id")
    return own


def find(call: Call, asked: AccountRef) -> AccountView:
    return reads.get_account(call.tenant, account_id=asked.account_id)


def find_all(call: Call, asked: AccountsAsked) -> Iterator[AccountView]:
    if not asked.number:
        return reads.list_accounts(
            call.tenant,
            mode=asked.mode,
            customer_number=asked.customer_number,
            after_id=asked.after_id,
            limit=asked.limit,
        )
    try:
        found = reads.get_account(call.tenant, number=asked.number)
    except NotFound:
        return iter(())
    return iter([found] if found.id > asked.after_id else [])


def balances(call: Call, asked: AccountRef) -> list[BalanceView]:
    return reads.balances(call.tenant, own_account(call, asked.account_id))


def balance(call: Call, asked: BalanceRef) -> BalanceOfAccount:
    return reads.get_balance(call.tenant, asked.balance_id)


def ledger(call: Call, asked: LedgerAsked) -> Iterator[LedgerEntryView]:
    return reads.ledger(
        call.tenant,
        own_account(call, asked.account_id),
        start=asked.start,
        end=asked.end,
        tag=asked.tag,
        after_id=asked.after_id,
        limit=asked.limit,
    )


def top_up(call: Call, asked: TopUpAsked) -> Moved:
    return money.top_up(
        call.tenant,
        asked.account_id,
        asked.amount_micros,
        key=_key(call),
        now=call.now,
        note=asked.note,
        by=call.by,
    )


def adjust(call: Call, asked: AdjustmentAsked) -> Moved:
    return money.adjust_balance(
        call.tenant,
        asked.account_id,
        asked.amount_micros,
        key=_key(call),
        now=call.now,
        note=asked.note,
        by=call.by,
        may_overdraw=asked.may_overdraw,
    )


def _key(call: Call) -> str:
    """The call's key among those of all callers, who may choose the same; never cut off."""
    owner = call.caller.owner_of_keys
    key = f"{owner}:{call.key}"
    return key if len(key) <= LONGEST_KEY else f"{owner}:{sha256(key.encode()).hexdigest()}"
