"""Messages of RPCs about bills, billing on demand and activities."""

from __future__ import annotations

from django.conf import settings

from apps.crm.domain.asked import BillAsked, BillingAsked, BillRunAsked, BillsAsked, CancelAsked, ReissueAsked
from apps.crm.domain.bills import ActivityView, BillView, CancelledBill, FoundBill
from apps.crmapi.grpc.pb import crm_pb2
from apps.crmapi.grpc.servicers.subscriber_messages import enum_name
from apps.crmapi.grpc.servicers.values import acknowledged, not_negative, one_of, seconds, units
from apps.kernel.errors import Conflict
from apps.mediation.pb import billing_pb2

STATUS_OF = {
    "new": billing_pb2.BILL_STATUS_NEW,
    "unpaid": billing_pb2.BILL_STATUS_UNPAID,
    "paid": billing_pb2.BILL_STATUS_PAID,
    "cancelled": billing_pb2.BILL_STATUS_CANCELLED,
}
STATUS_NAMES = {number: name for name, number in STATUS_OF.items()} | {0: ""}


def bill_asked(request: crm_pb2.GetSubscriberBillRequest) -> BillAsked:
    return BillAsked(
        bill_id=not_negative(request.bill_id, "bill_id"),
        subscriber_id=one_of(request.id, request.msisdn),
        msisdn=request.msisdn,
        year=not_negative(request.year, "year"),
        month=not_negative(request.month, "month"),
        with_document=request.with_document,
    )


def found_message(found: FoundBill) -> crm_pb2.GetSubscriberBillResponse:
    answer = crm_pb2.GetSubscriberBillResponse(bill=bill_message(found.bill))
    file = found.file
    if file is None:
        return answer
    if file.size_octets + answer.ByteSize() > settings.GRPC_MAX_MESSAGE_OCTETS - 65_536:
        raise Conflict(
            f"the document has {file.size_octets:,} octets, more than fit into a message; fetch it over REST",
            code="document_too_large",
        )
    try:
        answer.document = file.read()
    except OSError:
        raise Conflict(
            f"the document of bill {found.bill.number} is no longer on disk; have it issued again (ReformatBill)",
            code="no_document",
        ) from None
    answer.file_name = file.file_name
    return answer


def bills_asked(request: crm_pb2.GetSubscriberBillsRequest) -> BillsAsked:
    return BillsAsked(
        needs_subscriber=True,
        subscriber_id=one_of(request.id, request.msisdn),
        msisdn=request.msisdn,
        status=enum_name(STATUS_NAMES, request.status, "status"),
        before_id=not_negative(request.before_id, "before_id"),
        limit=not_negative(request.limit, "limit"),
    )


def billing_asked(request: crm_pb2.ExecuteBillingRequest) -> BillingAsked:
    return BillingAsked(
        subscriber_id=not_negative(request.id, "id"),
        msisdn=request.msisdn,
        year=not_negative(request.year, "year"),
        month=not_negative(request.month, "month"),
    )


def run_asked(request: crm_pb2.ExecuteBillCycleRequest) -> BillRunAsked:
    return BillRunAsked(
        cycle=not_negative(request.bill_cycle, "bill_cycle"),
        year=not_negative(request.year, "year"),
        month=not_negative(request.month, "month"),
    )


def reissue_asked(request: crm_pb2.ReformatBillRequest) -> ReissueAsked:
    return ReissueAsked(bill_id=not_negative(request.bill_id, "bill_id"), reason=request.reason)


def cancel_asked(request: crm_pb2.CancelBillRequest) -> CancelAsked:
    return CancelAsked(
        bill_id=not_negative(request.bill_id, "bill_id"), reason=request.reason, again=request.again
    )


def cancelled_message(done: CancelledBill) -> crm_pb2.CancelBillResponse:
    return crm_pb2.CancelBillResponse(
        bill=bill_message(done.bill),
        credit_note=bill_message(done.credit_note),
        successor=bill_message(done.successor) if done.successor else None,
    )


def queued_message(activity: ActivityView) -> crm_pb2.CRMResponse:
    return acknowledged(f"the bill is queued as activity {activity.id}", activity.id)


def bill_message(bill: BillView) -> billing_pb2.Bill:
    return billing_pb2.Bill(
        id=bill.id,
        number=bill.number,
        kind=bill.kind,
        status=STATUS_OF[bill.status],
        account_id=bill.account_id,
        account_number=bill.account_number,
        bill_cycle=bill.cycle,
        period_start=seconds(bill.period_start),
        period_end=seconds(bill.period_end),
        year=bill.year,
        month=bill.month,
        issued_on=bill.issued_on.isoformat(),
        due_on=bill.due_on.isoformat() if bill.due_on else "",
        currency=bill.currency,
        total=units(bill.total_micros),
        total_micros=bill.total_micros,
        recurring_micros=bill.recurring_micros,
        usage_micros=bill.usage_micros,
        one_off_micros=bill.one_off_micros,
        discount_micros=bill.discount_micros,
        tax_micros=bill.tax_micros,
        rounding_micros=bill.rounding_micros,
        paid_micros=bill.paid_micros,
        opening_balance_micros=bill.opening_balance_micros or 0,
        closing_balance_micros=bill.closing_balance_micros or 0,
        has_document=bill.has_document,
        created_at=seconds(bill.created_at),
        corrects_id=bill.corrects_id,
        credit_note_id=bill.credit_note_id,
        reason=bill.reason,
        lines=[
            billing_pb2.BillLine(
                number=line.number,
                kind=line.kind,
                description=line.description,
                subscriber_id=line.subscriber_id,
                service=line.service,
                destination=line.destination,
                records=line.records,
                usage=line.usage,
                free_usage=line.free_usage,
                amount=units(line.amount_micros),
                amount_micros=line.amount_micros,
            )
            for line in bill.lines
        ],
    )


def activity_message(activity: ActivityView) -> billing_pb2.Activity:
    return billing_pb2.Activity(
        id=activity.id,
        type=activity.type,
        param=activity.param,
        param2=activity.param2,
        param3=activity.param3,
        param4=activity.param4,
        param5=activity.param5,
        param6=activity.param6,
        status=activity.status,
        error=activity.error,
        result=activity.result,
        bill_cycle=activity.cycle,
        queued_by=activity.queued_by,
        queued_at=seconds(activity.queued_at),
        started_at=seconds(activity.started_at),
        finished_at=seconds(activity.finished_at),
    )
