"""Accounts, balances, ledger and top-ups."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from rest_framework.response import Response

from apps.crm.selectors.accounts import balances, get_account, get_balance, ledger, list_accounts
from apps.crm.services.money import LONGEST_KEY, adjust_balance, top_up
from apps.crmapi.rest import examples
from apps.crmapi.rest.door import Door
from apps.crmapi.rest.operations import Call, operation, page_shape
from apps.crmapi.rest.pagination import page_of
from apps.crmapi.rest.shapes.accounts import (
    AccountQuery,
    AccountShape,
    AdjustmentBody,
    BalanceOfAccountShape,
    BalanceShape,
    LedgerEntryShape,
    LedgerQuery,
    MovedShape,
    TopUpBody,
)
from apps.kernel.errors import NotFound

TAG = "Accounts"
ID = {"account_id": "The account's id."}


class Accounts(Door):
    @operation(
        "accounts_list",
        "Accounts, in the order of their ids",
        permission="accounts.read",
        tag=TAG,
        query=AccountQuery,
        answer=page_shape("AccountPage", AccountShape),
    )
    def get(self, call: Call) -> Response:
        """`number` finds one account, the other parameters narrow the list."""
        number = call.query.get("number", "")

        def fetch(position: Any, limit: int) -> Any:
            if number:
                return _numbered(call, number, position[0])
            return list_accounts(
                call.tenant,
                mode=call.query.get("mode", ""),
                customer_number=call.query.get("customer_number", ""),
                after_id=position[0],
                limit=limit,
            )

        return page_of(
            call.request,
            "accounts",
            call.query,
            fetch=fetch,
            position=lambda found: (found.id,),
            first=(0,),
            shown=lambda found: AccountShape(found, many=True).data,
        )


def _numbered(call: Call, number: str, after_id: int) -> list[Any]:
    try:
        found = get_account(call.tenant, number=number)
    except NotFound:
        return []
    return [found] if found.id > after_id else []


class Account(Door):
    @operation(
        "accounts_get", "One account", permission="accounts.read", tag=TAG, path=ID, answer=AccountShape
    )
    def get(self, call: Call, account_id: int) -> Any:
        """With its balances, whom it pays for, and how far it is billed."""
        return get_account(call.tenant, account_id=account_id)


class AccountBalances(Door):
    @operation(
        "account_balances_list",
        "What an account holds",
        permission="balances.read",
        tag=TAG,
        path=ID,
        answer=BalanceShape(many=True),
    )
    def get(self, call: Call, account_id: int) -> Any:
        """The default balance first."""
        return balances(call.tenant, account_id)


class Balance(Door):
    @operation(
        "balances_get",
        "One balance",
        permission="balances.read",
        tag=TAG,
        path={"balance_id": "The balance's id."},
        answer=BalanceOfAccountShape,
    )
    def get(self, call: Call, balance_id: int) -> Response:
        """With the account that holds it."""
        found, account_id = get_balance(call.tenant, balance_id)
        return Response({**BalanceShape(found).data, "account_id": account_id})


def ledger_page(call: Call, account_id: int) -> Response:
    """The page of an account's movements that the call asks for."""
    return page_of(
        call.request,
        f"ledger:{account_id}",
        call.query,
        fetch=lambda position, limit: ledger(
            call.tenant,
            account_id,
            start=call.query.get("start"),
            end=call.query.get("end"),
            tag=call.query.get("tag", ""),
            after_id=position[0],
            limit=limit,
        ),
        position=lambda found: (found.id,),
        first=(0,),
        shown=lambda found: LedgerEntryShape(found, many=True).data,
    )


class Ledger(Door):
    @operation(
        "ledger_list",
        "Movements of an account's balances",
        permission="balances.read",
        tag=TAG,
        path=ID,
        query=LedgerQuery,
        answer=page_shape("LedgerPage", LedgerEntryShape),
    )
    def get(self, call: Call, account_id: int) -> Response:
        """In the order in which they were written. A balance is the sum of its movements."""
        return ledger_page(call, account_id)


def _key_of_movement(call: Call) -> str:
    """The call's key among those of all callers, who may choose the same; as long as it may be, and not cut off."""
    key = f"{call.caller.owner_of_keys}:{call.key}"
    return (
        key if len(key) <= LONGEST_KEY else f"{call.caller.owner_of_keys}:{sha256(key.encode()).hexdigest()}"
    )


class TopUps(Door):
    @operation(
        "top_ups_create",
        "Top an account up",
        permission="balances.topup",
        tag=TAG,
        status=201,
        path=ID,
        body=TopUpBody,
        answer=MovedShape,
        target="account",
        key="required",
        problems=(409,),
        request_example={"amount": "20.00", "note": "Counter, receipt 4711"},
        answer_example=examples.MOVED,
    )
    def post(self, call: Call, account_id: int) -> Any:
        """Add money to the default balance, once for the `Idempotency-Key`."""
        return top_up(
            call.tenant,
            account_id,
            call.body["amount_micros"],
            key=_key_of_movement(call),
            now=call.now,
            note=call.body.get("note", ""),
            by=call.caller.actor,
        )


class Adjustments(Door):
    @operation(
        "adjustments_create",
        "Correct a balance",
        permission="balances.adjust",
        tag=TAG,
        status=201,
        path=ID,
        body=AdjustmentBody,
        answer=MovedShape,
        target="account",
        key="required",
        problems=(409,),
        request_example={"amount": "-2.50", "note": "Ticket 991: charged twice by the partner"},
    )
    def post(self, call: Call, account_id: int) -> Any:
        """Up or down, once for the `Idempotency-Key`; below zero only where the body says that it may."""
        body = dict(call.body)
        return adjust_balance(
            call.tenant,
            account_id,
            body.pop("amount_micros"),
            key=_key_of_movement(call),
            now=call.now,
            by=call.caller.actor,
            **body,
        )
