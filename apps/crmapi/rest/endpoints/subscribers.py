"""Subscribers, their lifecycle, their own tokens, and free numbers."""

from __future__ import annotations

from functools import partial

from apps.crm.domain.asked import SubscriberChangeAsked, SubscribersAsked
from apps.crm.domain.subscribers import SubscriberFilter
from apps.crm.operations import table as does
from apps.crmapi.rest import examples
from apps.crmapi.rest.endpoint import ASCENDING, Endpoint, Pages, Values
from apps.crmapi.rest.shapes.subscribers import (
    FILTER_NAMES,
    FreeResourceQuery,
    FreeResourceShape,
    NewSubscriberBody,
    SubscriberChangeBody,
    SubscriberQuery,
    SubscriberShape,
    TerminatedShape,
    new_subscriber,
    subscriber_change,
)
from apps.crmapi.rest.shapes.tokens import IssuedTokenShape, NewTokenBody, RevokedShape

LIST = "subscribers"
ONE = "subscribers/<int:subscriber_id>"
endpoint = partial(Endpoint, tag="Subscribers")


def _wanted(values: Values) -> SubscribersAsked:
    wanted = {name: values.pop(name) for name in FILTER_NAMES if name in values}
    return SubscribersAsked(wanted=SubscriberFilter(**wanted), **values)


def _change(values: Values) -> SubscriberChangeAsked:
    subscriber_id = values.pop("subscriber_id")
    return SubscriberChangeAsked(subscriber_id=subscriber_id, change=subscriber_change(values))


ENDPOINTS = (
    endpoint(
        at=f"GET {LIST}",
        operation=does.SUBSCRIBERS,
        summary="Subscribers, in the order of their ids",
        text="Each parameter narrows the list. `msisdn` finds who holds a number now.",
        query=SubscriberQuery,
        answer=SubscriberShape,
        read=_wanted,
        pages=ASCENDING,
    ),
    endpoint(
        at=f"POST {LIST}",
        operation=does.CREATE_SUBSCRIBER,
        summary="Create a subscriber",
        text="With customer, account, numbers, address, card, plan, opening balance and cycle; all of it or nothing.",
        status=201,
        body=NewSubscriberBody,
        answer=SubscriberShape,
        read=new_subscriber,
        request_example=examples.NEW_SUBSCRIBER,
        answer_example=examples.SUBSCRIBER,
    ),
    endpoint(
        at=f"GET {ONE}",
        operation=does.SUBSCRIBER,
        summary="One subscriber",
        text="With the numbers, plan and bundles held now, and the balance of the account that pays.",
        answer=SubscriberShape,
        answer_example=examples.SUBSCRIBER,
    ),
    endpoint(
        at=f"PATCH {ONE}",
        operation=does.MODIFY_SUBSCRIBER,
        summary="Change a subscriber",
        text="Fields that are left out stay as they are; all of it is changed or nothing.",
        body=SubscriberChangeBody,
        answer=SubscriberShape,
        read=_change,
        problems=(409,),
        request_example=examples.SUBSCRIBER_CHANGE,
    ),
    endpoint(
        at=f"POST {ONE}/suspend",
        operation=does.SUSPEND_SUBSCRIBER,
        summary="Suspend a subscriber",
        text="The next request for credit is refused, sessions that are going on end within seconds.",
        answer=SubscriberShape,
    ),
    endpoint(
        at=f"POST {ONE}/reactivate",
        operation=does.REACTIVATE_SUBSCRIBER,
        summary="End a suspension",
        text="Service is there again at once.",
        answer=SubscriberShape,
    ),
    endpoint(
        at=f"POST {ONE}/terminate",
        operation=does.TERMINATE_SUBSCRIBER,
        summary="End a subscriber for good",
        text="Numbers and devices are given back; if it was the last one on its account, a last bill is queued.",
        answer=TerminatedShape,
    ),
    endpoint(
        at=f"POST {ONE}/tokens",
        operation=does.ISSUE_SELF_CARE_TOKEN,
        id="self_care_tokens_issue",
        summary="Issue a customer's own token",
        text="For `/api/v1/me`: hand it to the customer, or to the app that the customer has signed in to.\n\n"
        "It is shown this once; only its hash is kept.",
        status=201,
        body=NewTokenBody,
        answer=IssuedTokenShape,
        answer_example=examples.ISSUED_TOKEN,
    ),
    endpoint(
        at=f"DELETE {ONE}/tokens",
        operation=does.REVOKE_SELF_CARE_TOKENS,
        id="self_care_tokens_revoke",
        summary="Take back a customer's own tokens",
        text="All of the subscriber's, from now on.",
        answer=RevokedShape,
    ),
    endpoint(
        at="GET resources",
        operation=does.FREE_RESOURCES,
        summary="Free numbers and devices",
        text="What the pool has to give to a new subscriber, ascending.",
        tag="Reference",
        query=FreeResourceQuery,
        answer=FreeResourceShape,
        pages=Pages(lambda item: (item.value,), ("",), lambda at: {"after": at[0]}, by=("kind", "prefix")),
    ),
)
