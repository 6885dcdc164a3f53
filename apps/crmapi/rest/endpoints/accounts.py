"""Accounts, balances, ledger, top-ups, and locks after wrong PINs."""

from __future__ import annotations

from functools import partial

from apps.crm.operations import table as does
from apps.crmapi.rest import examples
from apps.crmapi.rest.endpoint import ASCENDING, Endpoint
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
from apps.crmapi.rest.shapes.vouchers import ReasonBody, RedemptionLockShape

ONE = "accounts/<int:account_id>"
endpoint = partial(Endpoint, tag="Accounts")

ENDPOINTS = (
    endpoint(
        at="GET accounts",
        operation=does.ACCOUNTS,
        summary="Accounts, in the order of their ids",
        text="`number` finds one account, the other parameters narrow the list.",
        query=AccountQuery,
        answer=AccountShape,
        pages=ASCENDING,
    ),
    endpoint(
        at=f"GET {ONE}",
        operation=does.ACCOUNT,
        summary="One account",
        text="With its balances, whom it pays for, and how far it is billed.",
        answer=AccountShape,
    ),
    endpoint(
        at=f"GET {ONE}/balances",
        operation=does.BALANCES,
        id="account_balances_list",
        summary="What an account holds",
        text="The default balance first.",
        answer=BalanceShape,
    ),
    endpoint(
        at=f"GET {ONE}/ledger",
        operation=does.LEDGER,
        summary="Movements of an account's balances",
        text="In the order in which they were written. A balance is the sum of its movements.",
        query=LedgerQuery,
        answer=LedgerEntryShape,
        pages=ASCENDING,
    ),
    endpoint(
        at=f"POST {ONE}/top-ups",
        operation=does.TOP_UP,
        id="top_ups_create",
        summary="Top an account up",
        text="Add money to the default balance, once for the `Idempotency-Key`.",
        status=201,
        body=TopUpBody,
        answer=MovedShape,
        request_example={"amount": "20.00", "note": "Counter, receipt 4711"},
        answer_example=examples.MOVED,
    ),
    endpoint(
        at=f"POST {ONE}/adjustments",
        operation=does.ADJUST,
        id="adjustments_create",
        summary="Correct a balance",
        text="Up or down, once for the `Idempotency-Key`; below zero only if the body allows it.",
        status=201,
        body=AdjustmentBody,
        answer=MovedShape,
        request_example={"amount": "-2.50", "note": "Ticket 991: charged twice by the partner"},
    ),
    endpoint(
        at=f"GET {ONE}/redemption-lock",
        operation=does.REDEMPTION_LOCK,
        summary="Whether an account may redeem vouchers",
        text="Its wrong PINs, and whether they have locked it.",
        tag="Vouchers",
        answer=RedemptionLockShape,
    ),
    endpoint(
        at=f"POST {ONE}/redemption-lock/lift",
        operation=does.LIFT_REDEMPTION_LOCK,
        summary="Let an account redeem vouchers again",
        text="At once; its count of wrong PINs starts at zero. 404 if no wrong PIN of it is stored.",
        tag="Vouchers",
        body=ReasonBody,
        answer=RedemptionLockShape,
        request_example={"reason": "Identified by her date of birth"},
    ),
    endpoint(
        at="GET balances/<int:balance_id>",
        operation=does.BALANCE,
        summary="One balance",
        text="With the account that holds it.",
        answer=BalanceOfAccountShape,
    ),
)
