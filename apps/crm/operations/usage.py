"""Operations about usage, free units, and what usage would cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from apps.crm.domain.asked import MonthAsked, SubscriberRef, UsageAsked
from apps.crm.domain.operations import Call
from apps.crm.domain.usage import Price, PriceEnquiry, UsageData, UsageRecord
from apps.crm.operations.subscribers import find, find_id
from apps.crm.selectors import usage as reads
from apps.crm.selectors.prices import price_enquiry


def records(call: Call, asked: UsageAsked) -> Iterator[UsageRecord]:
    return reads.subscriber_usage(
        call.tenant,
        find_id(call, asked),
        now=call.now,
        start=asked.start,
        end=asked.end,
        service=asked.service,
        after=asked.after,
        limit=asked.limit,
    )


def month(call: Call, asked: MonthAsked) -> UsageData:
    return reads.usage_data(
        call.tenant, find_id(call, asked), now=call.now, year=asked.year, month=asked.month
    )


def price(call: Call, asked: PriceEnquiry) -> Price:
    """A customer's own token asks for its own subscriber, with any name in the request."""
    if call.caller.only_own:
        own = find(call, SubscriberRef())
        plan = own.plan.code if own.plan and not own.msisdn else ""
        asked = replace(asked, msisdn=own.msisdn, price_plan=plan, subject="*any")
    return price_enquiry(call.tenant, asked, now=call.now)
