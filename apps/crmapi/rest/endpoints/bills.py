"""Bills, their PDFs and payments, and activities: bills on demand and bill runs."""

from __future__ import annotations

from functools import partial

from apps.crm.domain.asked import ActivitiesAsked
from apps.crm.operations import table as does
from apps.crmapi.rest import examples
from apps.crmapi.rest.endpoint import NEWEST_FIRST, PDF, Endpoint, Values
from apps.crmapi.rest.shapes.bills import (
    ActivityQuery,
    ActivityShape,
    ActivityWithProgressShape,
    BillQuery,
    BillRunBody,
    BillShape,
    BillWithLinesShape,
    CancelBody,
    CancelledBillShape,
    PaymentBody,
    ReformatBody,
    SingleBillingBody,
    number_of,
)
from apps.crmapi.rest.shapes.choices import ACTIVITY_STATUSES, ACTIVITY_TYPES

ONE = "bills/<int:bill_id>"
endpoint = partial(Endpoint, tag="Bills")


def _activities(values: Values) -> ActivitiesAsked:
    if "status" in values:
        values["status"] = number_of(ACTIVITY_STATUSES, values["status"])
    if "type" in values:
        values["type"] = number_of(ACTIVITY_TYPES, values["type"])
    return ActivitiesAsked(**values)


ENDPOINTS = (
    endpoint(
        at="GET bills",
        operation=does.BILLS,
        summary="Bills and statements, newest first",
        text="Without their lines; of one subscriber's account, of one account, or of all.",
        query=BillQuery,
        answer=BillShape,
        pages=NEWEST_FIRST,
        problems=(404,),
    ),
    endpoint(
        at=f"GET {ONE}",
        operation=does.BILL,
        summary="One bill",
        text="With its lines, which add up to its total.",
        answer=BillWithLinesShape,
        show=lambda found, _: found.bill,
    ),
    endpoint(
        at=f"GET {ONE}/pdf",
        operation=does.BILL_DOCUMENT,
        id="bills_pdf",
        summary="A bill's PDF",
        text="The current document. 409 (`no_document`) as long as none is written, which takes seconds after a run.",
        answer=PDF,
        problems=(409,),
    ),
    endpoint(
        at=f"POST {ONE}/reformat",
        operation=does.REISSUE_BILL,
        id="bills_reformat",
        summary="Have a bill's document issued again",
        text="The new document is there within seconds, the former is kept.",
        status=202,
        body=ReformatBody,
        answer=BillWithLinesShape,
        request_example={"reason": "New address"},
    ),
    endpoint(
        at=f"POST {ONE}/cancel",
        operation=does.CANCEL_BILL,
        summary="Cancel a bill by a credit note",
        text="What was paid for it becomes a credit that pays the next bill. An account's bills are cancelled from the "
        "last one backwards: 409 (`not_the_last`) if another follows, `cancelled` if it is cancelled already.",
        body=CancelBody,
        answer=CancelledBillShape,
        request_example={"reason": "Wrong price", "again": True},
    ),
    endpoint(
        at=f"POST {ONE}/payments",
        operation=does.PAY_BILL,
        id="payments_create",
        summary="Record a payment",
        text="Money received for a bill, which is paid once its total is covered.\n\n"
        "Recording the same `reference` again changes nothing, with or without an `Idempotency-Key`.",
        status=201,
        body=PaymentBody,
        answer=BillWithLinesShape,
        request_example={"amount": "29.99", "reference": "TRX 2026-02-04/118", "method": "bank transfer"},
    ),
    endpoint(
        at="GET activities",
        operation=does.ACTIVITIES,
        summary="Activities, newest first",
        text="Queued by this API, in the admin, or by the calendar.",
        tag="Activities",
        query=ActivityQuery,
        answer=ActivityShape,
        read=_activities,
        pages=NEWEST_FIRST,
    ),
    endpoint(
        at="GET activities/<int:activity_id>",
        operation=does.ACTIVITY,
        summary="One activity and its progress",
        text="A bill run shows chunks, accounts and bills done so far.",
        tag="Activities",
        answer=ActivityWithProgressShape,
    ),
    endpoint(
        at="POST activities/single-billings",
        operation=does.BILL_NOW,
        id="billings_create",
        summary="Bill one account now",
        text="Queues it for the account that pays for a subscriber; look at the activity for what came of it.",
        tag="Activities",
        status=202,
        body=SingleBillingBody,
        answer=ActivityShape,
        problems=(404,),
        request_example={"msisdn": "4915550000001", "month": 1, "year": 2026},
        answer_example=examples.ACTIVITY,
    ),
    endpoint(
        at="POST activities/bill-runs",
        operation=does.BILL_CYCLE_NOW,
        id="bill_runs_create",
        summary="Bill a whole cycle now",
        text="Queues a full run for the last closed period, or the one that begins in a month.",
        tag="Activities",
        status=202,
        body=BillRunBody,
        answer=ActivityShape,
        problems=(404,),
        request_example={"cycle": 1, "month": 1, "year": 2026},
    ),
)
