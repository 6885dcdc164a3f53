"""Self-care: a customer's own view, with the customer's own token, which says whose it is."""

from __future__ import annotations

from functools import partial

from apps.crm.operations import table as does
from apps.crmapi.rest import examples
from apps.crmapi.rest.endpoint import ASCENDING, NEWEST_FIRST, PDF, Endpoint
from apps.crmapi.rest.endpoints.usage import BY_START
from apps.crmapi.rest.shapes.accounts import BalanceShape, LedgerEntryShape, LedgerQuery
from apps.crmapi.rest.shapes.bills import BillShape, BillWithLinesShape, OwnBillQuery
from apps.crmapi.rest.shapes.subscribers import SubscriberShape
from apps.crmapi.rest.shapes.usage import (
    MonthQuery,
    OwnPriceBody,
    PriceShape,
    UsageDataShape,
    UsageQuery,
    UsageRecordShape,
)
from apps.crmapi.rest.shapes.vouchers import OwnRedeemBody, RedemptionShape

own = partial(Endpoint, tag="Me")

ENDPOINTS = (
    own(
        at="GET me",
        operation=does.SUBSCRIBER,
        id="me_get",
        summary="Myself: line, plan, account",
        text="The line that the token is for.",
        answer=SubscriberShape,
        answer_example=examples.SUBSCRIBER,
    ),
    own(
        at="GET me/balances",
        operation=does.BALANCES,
        id="me_balances",
        summary="What I have",
        text="Balances of the account that pays for my line.",
        answer=BalanceShape,
    ),
    own(
        at="GET me/ledger",
        operation=does.LEDGER,
        id="me_ledger",
        summary="What changed it",
        text="Movements of my account's balances.",
        query=LedgerQuery,
        answer=LedgerEntryShape,
        pages=ASCENDING,
    ),
    own(
        at="GET me/allowances",
        operation=does.USAGE_OF_MONTH,
        id="me_allowances",
        summary="Free units that I have left",
        text="Of this month, or of another one.",
        query=MonthQuery,
        answer=UsageDataShape,
    ),
    own(
        at="GET me/usage",
        operation=does.USAGE_RECORDS,
        id="me_usage",
        summary="What I used",
        text="Each call, message and data session, with its price.",
        query=UsageQuery,
        answer=UsageRecordShape,
        pages=BY_START,
    ),
    own(
        at="GET me/bills",
        operation=does.BILLS,
        id="me_bills",
        summary="My bills, newest first",
        text="Of the account that pays for my line.",
        query=OwnBillQuery,
        answer=BillShape,
        pages=NEWEST_FIRST,
    ),
    own(
        at="GET me/bills/<int:bill_id>",
        operation=does.BILL,
        id="me_bill",
        summary="One of my bills",
        text="With its lines.",
        answer=BillWithLinesShape,
        show=lambda found, _: found.bill,
    ),
    own(
        at="GET me/bills/<int:bill_id>/pdf",
        operation=does.BILL_DOCUMENT,
        id="me_bill_pdf",
        summary="The PDF of one of my bills",
        text="As it was sent.",
        answer=PDF,
        problems=(409,),
    ),
    own(
        at="POST me/rate",
        operation=does.PRICE,
        id="me_rate",
        summary="What would it cost me?",
        text="Priced by my own plan; nothing is charged.",
        body=OwnPriceBody,
        answer=PriceShape,
        problems=(409,),
        request_example={"service": "voice", "usage": 60, "destination": "4930123456"},
        answer_example=examples.PRICE,
    ),
    own(
        at="POST me/vouchers/redeem",
        operation=does.REDEEM_VOUCHER,
        id="me_vouchers_redeem",
        summary="Redeem a voucher",
        text="Credits my account once. After wrong PINs it takes longer and longer until the next may be tried.",
        body=OwnRedeemBody,
        answer=RedemptionShape,
        request_example={"pin": "1234 5678 9012 3456"},
        answer_example=examples.REDEMPTION,
    ),
)
