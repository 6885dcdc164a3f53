"""Operations about bills, their documents and payments, and queued activities."""

from __future__ import annotations

from collections.abc import Iterator

from apps.crm.domain.asked import (
    ActivitiesAsked,
    ActivityRef,
    BillAsked,
    BillingAsked,
    BillRef,
    BillRunAsked,
    BillsAsked,
    CancelAsked,
    PaymentAsked,
    ReissueAsked,
)
from apps.crm.domain.bills import (
    ActivityView,
    ActivityWithRuns,
    BillFile,
    BillView,
    CancelledBill,
    FoundBill,
)
from apps.crm.domain.operations import Call
from apps.crm.operations.subscribers import find_id
from apps.crm.selectors import bills as reads
from apps.crm.selectors import news
from apps.crm.services import billing as changes
from apps.kernel.errors import InvalidInput


def find(call: Call, asked: BillAsked) -> FoundBill:
    own = call.caller.subscriber_id or 0
    if asked.bill_id:
        if asked.subscriber_id or asked.msisdn or asked.year or asked.month:
            raise InvalidInput("give a bill's id, or a subscriber and a month, not both", where="bill_id")
        bill = reads.get_bill(call.tenant, asked.bill_id, subscriber_id=own)
    else:
        bill = reads.subscriber_bill(call.tenant, find_id(call, asked), year=asked.year, month=asked.month)
    if not asked.with_document:
        return FoundBill(bill)
    return FoundBill(bill, reads.bill_file(call.tenant, bill.id, subscriber_id=own))


def document(call: Call, asked: BillRef) -> BillFile:
    return reads.bill_file(call.tenant, asked.bill_id, subscriber_id=call.caller.subscriber_id or 0)


def find_all(call: Call, asked: BillsAsked) -> Iterator[BillView]:
    needs_subscriber = asked.needs_subscriber or asked.subscriber_id or asked.msisdn or call.caller.only_own
    return reads.list_bills(
        call.tenant,
        subscriber_id=find_id(call, asked) if needs_subscriber else 0,
        account_id=asked.account_id,
        status=asked.status,
        kind=asked.kind,
        before_id=asked.before_id,
        limit=asked.limit,
    )


def reissue(call: Call, asked: ReissueAsked) -> BillView:
    return changes.reformat_bill(call.tenant, asked.bill_id, now=call.now, reason=asked.reason, by=call.by)


def cancel(call: Call, asked: CancelAsked) -> CancelledBill:
    return changes.cancel_bill(
        call.tenant, asked.bill_id, asked.reason, now=call.now, again=asked.again, by=call.by
    )


def pay(call: Call, asked: PaymentAsked) -> BillView:
    return changes.record_payment(
        call.tenant,
        asked.bill_id,
        asked.amount_micros,
        asked.reference,
        now=call.now,
        at=asked.at,
        method=asked.method,
        by=call.by,
    )


def bill_now(call: Call, asked: BillingAsked) -> ActivityView:
    return changes.execute_billing(
        call.tenant,
        now=call.now,
        msisdn=asked.msisdn,
        subscriber_id=asked.subscriber_id,
        year=asked.year,
        month=asked.month,
        by=call.by,
    )


def bill_cycle_now(call: Call, asked: BillRunAsked) -> ActivityView:
    return changes.execute_bill_cycle(
        call.tenant, asked.cycle, now=call.now, year=asked.year, month=asked.month, by=call.by
    )


def activities(call: Call, asked: ActivitiesAsked) -> list[ActivityView]:
    return news.list_activities(
        call.tenant, status=asked.status, type=asked.type, before_id=asked.before_id, limit=asked.limit
    )


def activity(call: Call, asked: ActivityRef) -> ActivityWithRuns:
    return news.activity_with_runs(call.tenant, asked.activity_id)
