"""What subscribers used, the free units they have left, and what usage would cost."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from rest_framework.response import Response

from apps.crm.selectors.usage import price_enquiry, usage_data, usage_page
from apps.crmapi.rest import examples
from apps.crmapi.rest.door import Door
from apps.crmapi.rest.operations import Call, operation, page_shape
from apps.crmapi.rest.pagination import page_of
from apps.crmapi.rest.shapes.usage import (
    MonthQuery,
    PriceBody,
    PriceShape,
    UsageDataShape,
    UsageQuery,
    UsageRecordShape,
    price_enquiry_of,
)

TAG = "Usage"
ID = {"subscriber_id": "The subscriber's id."}
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


def records_page(call: Call, subscriber_id: int) -> Response:
    """The page of a subscriber's records that the call asks for."""
    first = (BEGINNING, 0)
    return page_of(
        call.request,
        f"usage:{subscriber_id}",
        call.query,
        fetch=lambda position, limit: usage_page(
            call.tenant,
            subscriber_id,
            now=call.now,
            start=call.query.get("start"),
            end=call.query.get("end"),
            service=call.query.get("service", ""),
            after=None if position == first else position,
            limit=limit,
        ),
        position=lambda found: (found.start, found.id),
        first=first,
        shown=lambda found: UsageRecordShape(found, many=True).data,
    )


class UsageRecords(Door):
    @operation(
        "usage_list",
        "A subscriber's rated usage",
        permission="usage.read",
        tag=TAG,
        path=ID,
        query=UsageQuery,
        answer=page_shape("UsagePage", UsageRecordShape),
    )
    def get(self, call: Call, subscriber_id: int) -> Response:
        """Oldest first; without `start`, of this month and the two before in the tenant's time zone."""
        return records_page(call, subscriber_id)


class Allowances(Door):
    @operation(
        "allowances_get",
        "Free units and usage of a month",
        permission="usage.read",
        tag=TAG,
        path=ID,
        query=MonthQuery,
        answer=UsageDataShape,
    )
    def get(self, call: Call, subscriber_id: int) -> Any:
        """What a subscriber was granted, used and has left, and what was used of each service."""
        return usage_data(call.tenant, subscriber_id, now=call.now, **call.query)


class Rate(Door):
    @operation(
        "rate",
        "What would usage cost?",
        permission="rating.enquire",
        tag=TAG,
        body=PriceBody,
        answer=PriceShape,
        problems=(404,),
        request_example=examples.PRICE_ENQUIRY,
        answer_example=examples.PRICE,
    )
    def post(self, call: Call) -> Any:
        """The price and how it comes about, for a subscriber, a plan, or a rating subject. Nothing is charged."""
        return price_enquiry(call.tenant, price_enquiry_of(call.body), now=call.now)
