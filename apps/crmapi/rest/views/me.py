"""Self-care: a customer's own view, with the customer's own token."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponseBase
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from apps.charging.models import Account
from apps.crm.selectors.accounts import balances
from apps.crm.selectors.bills import bill_file, get_bill
from apps.crm.selectors.subscribers import get_subscriber
from apps.crm.selectors.usage import price_enquiry, usage_data
from apps.crm.services.money import subscriber_account
from apps.crmapi.rest import examples
from apps.crmapi.rest.door import Door
from apps.crmapi.rest.operations import OWN, PDF, Call, operation, page_shape
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
    price_enquiry_of,
)
from apps.crmapi.rest.shapes.vouchers import OwnRedeemBody, RedemptionShape
from apps.crmapi.rest.views.accounts import ledger_page
from apps.crmapi.rest.views.bills import ID as BILL_ID
from apps.crmapi.rest.views.bills import PdfRenderer, bills_page, pdf_answer
from apps.crmapi.rest.views.usage import records_page
from apps.crmapi.rest.views.vouchers import redeem_once

TAG = "Me"


def own(name: str, summary: str, **options: Any) -> Any:
    """An operation for customers with their own token."""
    return operation(f"me_{name}", summary, tag=TAG, audience=OWN, **{"problems": (404,), **options})


class Me(Door):
    @own(
        "get",
        "Myself: line, plan, account",
        permission="subscribers.read",
        answer=SubscriberShape,
        answer_example=examples.SUBSCRIBER,
    )
    def get(self, call: Call) -> Any:
        """The line that the token is for."""
        return get_subscriber(call.tenant, now=call.now, subscriber_id=call.own_id)


class MyBalances(Door):
    @own("balances", "What I have", permission="balances.read", answer=BalanceShape(many=True))
    def get(self, call: Call) -> Any:
        """Balances of the account that pays for my line."""
        return balances(call.tenant, subscriber_account(call.tenant, call.own_id))


class MyLedger(Door):
    @own(
        "ledger",
        "What changed it",
        permission="balances.read",
        query=LedgerQuery,
        answer=page_shape("MyLedgerPage", LedgerEntryShape),
    )
    def get(self, call: Call) -> Response:
        """Movements of my account's balances."""
        return ledger_page(call, subscriber_account(call.tenant, call.own_id))


class MyAllowances(Door):
    @own(
        "allowances",
        "Free units that I have left",
        permission="usage.read",
        query=MonthQuery,
        answer=UsageDataShape,
    )
    def get(self, call: Call) -> Any:
        """Of this month, or of another one."""
        return usage_data(call.tenant, call.own_id, now=call.now, **call.query)


class MyUsage(Door):
    @own(
        "usage",
        "What I used",
        permission="usage.read",
        query=UsageQuery,
        answer=page_shape("MyUsagePage", UsageRecordShape),
    )
    def get(self, call: Call) -> Response:
        """Each call, message and data session, with its price."""
        return records_page(call, call.own_id)


class MyBills(Door):
    @own(
        "bills",
        "My bills, newest first",
        permission="bills.read",
        query=OwnBillQuery,
        answer=page_shape("MyBillPage", BillShape),
    )
    def get(self, call: Call) -> Response:
        """Of the account that pays for my line."""
        return bills_page(call, subscriber_id=call.own_id)


class MyBill(Door):
    @own("bill", "One of my bills", permission="bills.read", path=BILL_ID, answer=BillWithLinesShape)
    def get(self, call: Call, bill_id: int) -> Any:
        """With its lines."""
        return get_bill(call.tenant, bill_id, subscriber_id=call.own_id)


class MyBillPdf(Door):
    renderer_classes = [PdfRenderer, JSONRenderer]

    @own(
        "bill_pdf",
        "The PDF of one of my bills",
        permission="bills.read",
        path=BILL_ID,
        answer=PDF,
        problems=(404, 409),
    )
    def get(self, call: Call, bill_id: int) -> HttpResponseBase:
        """As it was sent."""
        return pdf_answer(bill_file(call.tenant, bill_id, subscriber_id=call.own_id))


class MyRate(Door):
    @own(
        "rate",
        "What would it cost me?",
        permission="rating.enquire",
        body=OwnPriceBody,
        answer=PriceShape,
        problems=(404, 409),
        request_example={"service": "voice", "usage": 60, "destination": "4930123456"},
        answer_example=examples.PRICE,
    )
    def post(self, call: Call) -> Any:
        """Priced by my own plan; nothing is charged."""
        line = get_subscriber(call.tenant, now=call.now, subscriber_id=call.own_id)
        plan = line.plan.code if line.plan else ""
        enquiry = price_enquiry_of(
            {**call.body, "msisdn": line.msisdn} if line.msisdn else {**call.body, "price_plan": plan}
        )
        return price_enquiry(call.tenant, enquiry, now=call.now)


class MyRedemptions(Door):
    @own(
        "vouchers_redeem",
        "Redeem a voucher",
        permission="vouchers.redeem",
        body=OwnRedeemBody,
        answer=RedemptionShape,
        key="optional",
        problems=(404, 409),
        request_example={"pin": "1234 5678 9012 3456"},
        answer_example=examples.REDEMPTION,
    )
    def post(self, call: Call) -> Response:
        """Credits my account once. After wrong PINs it takes longer and longer until the next may be tried."""
        account_id = subscriber_account(call.tenant, call.own_id)
        account = Account.objects.get(pk=account_id, tenant_id=call.caller.tenant_id)
        line = get_subscriber(call.tenant, now=call.now, subscriber_id=call.own_id)
        return redeem_once(call, account=account, msisdn=line.msisdn, guarded=False)
