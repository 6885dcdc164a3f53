"""What subscribers used, the free units they have left, and what usage would cost."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

from apps.crm.operations import table as does
from apps.crmapi.rest import examples
from apps.crmapi.rest.endpoint import Endpoint, Pages, Position, Values
from apps.crmapi.rest.shapes.usage import (
    MonthQuery,
    PriceBody,
    PriceShape,
    UsageDataShape,
    UsageQuery,
    UsageRecordShape,
)

endpoint = partial(Endpoint, tag="Usage")
BEGINNING: Position = (datetime(1970, 1, 1, tzinfo=UTC), 0)


def _after(at: Position) -> Values:
    return {} if at == BEGINNING else {"after": at}


BY_START = Pages(lambda record: (record.start, record.id), BEGINNING, _after)

ENDPOINTS = (
    endpoint(
        at="GET subscribers/<int:subscriber_id>/usage",
        operation=does.USAGE_RECORDS,
        summary="A subscriber's rated usage",
        text="Oldest first; without `start`, of this month and the two before in the tenant's time zone.",
        query=UsageQuery,
        answer=UsageRecordShape,
        pages=BY_START,
    ),
    endpoint(
        at="GET subscribers/<int:subscriber_id>/allowances",
        operation=does.USAGE_OF_MONTH,
        id="allowances_get",
        summary="Free units and usage of a month",
        text="Granted, used and left free units, and usage by service.",
        query=MonthQuery,
        answer=UsageDataShape,
    ),
    endpoint(
        at="POST rate",
        operation=does.PRICE,
        id="rate",
        summary="What would usage cost?",
        text="The price and how it comes about, for a subscriber, a plan, or a rating subject. Nothing is charged.",
        body=PriceBody,
        answer=PriceShape,
        problems=(404,),
        request_example=examples.PRICE_ENQUIRY,
        answer_example=examples.PRICE,
    ),
)
