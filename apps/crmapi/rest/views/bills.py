"""Bills, their PDFs, and activities: bills on demand and bill runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import FileResponse, HttpResponseBase
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.response import Response

from apps.crm.domain.bills import BillFile
from apps.crm.selectors.bill_runs import runs_of_activity
from apps.crm.selectors.bills import bill_file, get_activity, get_bill, list_activities, list_bills
from apps.crm.services.billing import execute_bill_cycle, execute_billing, record_payment, reformat_bill
from apps.crmapi.rest import examples
from apps.crmapi.rest.door import Door
from apps.crmapi.rest.operations import PDF, Call, operation, page_shape
from apps.crmapi.rest.pagination import NEWEST, page_of
from apps.crmapi.rest.shapes.bills import (
    ActivityQuery,
    ActivityShape,
    ActivityWithProgressShape,
    BillQuery,
    BillRunBody,
    BillShape,
    BillWithLinesShape,
    PaymentBody,
    ReformatBody,
    RunProgressShape,
    SingleBillingBody,
    number_of,
)
from apps.crmapi.rest.shapes.choices import ACTIVITY_STATUSES, ACTIVITY_TYPES
from apps.kernel.errors import Conflict

TAG = "Bills"
ID = {"bill_id": "The bill's id."}


class PdfRenderer(BaseRenderer):
    """Says that a resource is a PDF; what is wrong with a request is told in JSON all the same."""

    media_type = PDF
    format = "pdf"
    charset = None
    render_style = "binary"

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        return JSONRenderer().render(data)


def bills_page(call: Call, **narrowed: Any) -> Response:
    """The page of bills that the call asks for, newest first."""
    wanted = {
        name: call.query[name]
        for name in ("status", "kind", "subscriber_id", "account_id")
        if name in call.query
    }
    return page_of(
        call.request,
        "bills",
        call.query,
        fetch=lambda position, limit: list_bills(
            call.tenant,
            **{**wanted, **narrowed},
            before_id=0 if position[0] == NEWEST else position[0],
            limit=limit,
        ),
        position=lambda found: (found.id,),
        first=(NEWEST,),
        shown=lambda found: BillShape(found, many=True).data,
    )


def pdf_answer(found: BillFile) -> HttpResponseBase:
    """A bill's PDF as it is on disk."""
    try:
        file = found.path.open("rb")
    except FileNotFoundError:
        raise Conflict(
            "the bill's document is not where it was written; have it issued again", code="document_missing"
        ) from None
    response = FileResponse(file, content_type=PDF, filename=found.file_name)
    response.headers["ETag"] = f'"{found.sha256}"'
    return response


class Bills(Door):
    @operation(
        "bills_list",
        "Bills and statements, newest first",
        permission="bills.read",
        tag=TAG,
        query=BillQuery,
        answer=page_shape("BillPage", BillShape),
        problems=(404,),
    )
    def get(self, call: Call) -> Response:
        """Without their lines; of one subscriber's account, of one account, or of all."""
        return bills_page(call)


class Bill(Door):
    @operation("bills_get", "One bill", permission="bills.read", tag=TAG, path=ID, answer=BillWithLinesShape)
    def get(self, call: Call, bill_id: int) -> Any:
        """With its lines, which add up to its total."""
        return get_bill(call.tenant, bill_id)


class BillPdf(Door):
    renderer_classes = [PdfRenderer, JSONRenderer]

    @operation(
        "bills_pdf",
        "A bill's PDF",
        permission="bills.read",
        tag=TAG,
        path=ID,
        answer=PDF,
        problems=(409,),
    )
    def get(self, call: Call, bill_id: int) -> HttpResponseBase:
        """The current document. 409 (`no_document`) as long as none is written, which takes seconds after a run."""
        return pdf_answer(bill_file(call.tenant, bill_id))


class Reformat(Door):
    @operation(
        "bills_reformat",
        "Have a bill's document issued again",
        permission="bills.reformat",
        tag=TAG,
        status=202,
        path=ID,
        body=ReformatBody,
        answer=BillWithLinesShape,
        target="bill",
        key="optional",
        problems=(409,),
        request_example={"reason": "New address"},
    )
    def post(self, call: Call, bill_id: int) -> Any:
        """The new document is there within seconds, the former is kept."""
        return reformat_bill(
            call.tenant, bill_id, now=call.now, reason=call.body.get("reason", ""), by=call.caller.actor
        )


class Payments(Door):
    @operation(
        "payments_create",
        "Record a payment",
        permission="payments.write",
        tag=TAG,
        status=201,
        path=ID,
        body=PaymentBody,
        answer=BillWithLinesShape,
        target="bill",
        key="optional",
        problems=(409,),
        request_example={"amount": "29.99", "reference": "TRX 2026-02-04/118", "method": "bank transfer"},
    )
    def post(self, call: Call, bill_id: int) -> Any:
        """Money received for a bill, which is paid once its total is covered.

        Recording the same `reference` again changes nothing, with or without an `Idempotency-Key`.
        """
        body = dict(call.body)
        amount, reference = body.pop("amount_micros"), body.pop("reference")
        return record_payment(
            call.tenant, bill_id, amount, reference, now=call.now, by=call.caller.actor, **body
        )


class Activities(Door):
    @operation(
        "activities_list",
        "Activities, newest first",
        permission="activities.read",
        tag="Activities",
        query=ActivityQuery,
        answer=page_shape("ActivityPage", ActivityShape),
    )
    def get(self, call: Call) -> Response:
        """What was queued: by this API, by others, by the calendar."""
        query = call.query
        status = number_of(ACTIVITY_STATUSES, query["status"]) if "status" in query else None
        kind = number_of(ACTIVITY_TYPES, query["type"]) if "type" in query else 0
        return page_of(
            call.request,
            "activities",
            query,
            fetch=lambda position, limit: list_activities(
                call.tenant,
                status=status,
                type=kind,
                before_id=0 if position[0] == NEWEST else position[0],
                limit=limit,
            ),
            position=lambda found: (found.id,),
            first=(NEWEST,),
            shown=lambda found: ActivityShape(found, many=True).data,
        )


class SingleBillings(Door):
    @operation(
        "billings_create",
        "Bill one account now",
        permission="billing.execute",
        tag="Activities",
        status=202,
        body=SingleBillingBody,
        answer=ActivityShape,
        target="activity",
        key="optional",
        problems=(404, 409),
        request_example={"msisdn": "4915550000001", "month": 1, "year": 2026},
        answer_example=examples.ACTIVITY,
    )
    def post(self, call: Call) -> Any:
        """Queues it for the account that pays for a subscriber; look at the activity for what came of it."""
        body = {"msisdn": "", "subscriber_id": 0, "year": 0, "month": 0, **call.body}
        return execute_billing(call.tenant, now=call.now, by=call.caller.actor, **body)


class BillRuns(Door):
    @operation(
        "bill_runs_create",
        "Bill a whole cycle now",
        permission="billing.execute_cycle",
        tag="Activities",
        status=202,
        body=BillRunBody,
        answer=ActivityShape,
        target="activity",
        key="optional",
        problems=(404, 409),
        request_example={"cycle": 1, "month": 1, "year": 2026},
    )
    def post(self, call: Call) -> Any:
        """Queues a full run for the last closed period, or the one that begins in a month."""
        body = {"year": 0, "month": 0, **call.body}
        cycle = body.pop("cycle")
        return execute_bill_cycle(call.tenant, cycle, now=call.now, by=call.caller.actor, **body)


class Activity(Door):
    @operation(
        "activities_get",
        "One activity and its progress",
        permission="activities.read",
        tag="Activities",
        path={"activity_id": "The activity's id."},
        answer=ActivityWithProgressShape,
    )
    def get(self, call: Call, activity_id: int) -> Response:
        """A bill run shows chunks, accounts and bills done so far."""
        found = get_activity(call.tenant, activity_id)
        runs = RunProgressShape(runs_of_activity(call.tenant, activity_id), many=True).data
        return Response({**ActivityShape(found).data, "runs": runs})
