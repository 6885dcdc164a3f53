"""Subscribers, their lifecycle, their own tokens, and free numbers."""

from __future__ import annotations

from typing import Any

from rest_framework.response import Response

from apps.crm.domain.subscribers import SubscriberFilter
from apps.crm.selectors.subscribers import free_resources, get_subscriber, list_subscribers
from apps.crm.services.api_tokens import issue_self_care_token, revoke_api_tokens
from apps.crm.services.subscribers import (
    create_subscriber,
    modify_subscriber,
    reactivate_subscriber,
    suspend_subscriber,
    terminate_subscriber,
)
from apps.crmapi.rest import examples
from apps.crmapi.rest.door import Door
from apps.crmapi.rest.operations import Call, operation, page_shape
from apps.crmapi.rest.pagination import page_of
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
from apps.kernel.errors import NotFound

TAG = "Subscribers"
ID = {"subscriber_id": "The subscriber's id."}


class Subscribers(Door):
    @operation(
        "subscribers_list",
        "Subscribers, in the order of their ids",
        permission="subscribers.list",
        tag=TAG,
        query=SubscriberQuery,
        answer=page_shape("SubscriberPage", SubscriberShape),
    )
    def get(self, call: Call) -> Response:
        """Each parameter narrows the list. `msisdn` finds who holds a number now."""
        wanted = SubscriberFilter(**{name: call.query[name] for name in FILTER_NAMES if name in call.query})
        msisdn = call.query.get("msisdn", "")

        def fetch(position: Any, limit: int) -> Any:
            if msisdn:
                return _holder(call, msisdn, position[0])
            return list_subscribers(call.tenant, wanted, now=call.now, after_id=position[0], limit=limit)

        return page_of(
            call.request,
            "subscribers",
            call.query,
            fetch=fetch,
            position=lambda found: (found.id,),
            first=(0,),
            shown=lambda found: SubscriberShape(found, many=True).data,
        )

    @operation(
        "subscribers_create",
        "Create a subscriber",
        permission="subscribers.create",
        tag=TAG,
        status=201,
        body=NewSubscriberBody,
        answer=SubscriberShape,
        target="subscriber",
        key="optional",
        problems=(409,),
        request_example=examples.NEW_SUBSCRIBER,
        answer_example=examples.SUBSCRIBER,
    )
    def post(self, call: Call) -> Any:
        """With customer, account, numbers, address, card, plan, opening balance and cycle; all of it or nothing."""
        return create_subscriber(call.tenant, new_subscriber(call.body), now=call.now, by=call.caller.actor)


def _holder(call: Call, msisdn: str, after_id: int) -> list[Any]:
    try:
        found = get_subscriber(call.tenant, now=call.now, msisdn=msisdn)
    except NotFound:
        return []
    return [found] if found.id > after_id else []


class Subscriber(Door):
    @operation(
        "subscribers_get",
        "One subscriber",
        permission="subscribers.read",
        tag=TAG,
        path=ID,
        answer=SubscriberShape,
        answer_example=examples.SUBSCRIBER,
    )
    def get(self, call: Call, subscriber_id: int) -> Any:
        """With the numbers, plan and bundles held now, and the balance of the account that pays."""
        return get_subscriber(call.tenant, now=call.now, subscriber_id=subscriber_id)

    @operation(
        "subscribers_modify",
        "Change a subscriber",
        permission="subscribers.modify",
        tag=TAG,
        path=ID,
        body=SubscriberChangeBody,
        answer=SubscriberShape,
        target="subscriber",
        problems=(409,),
        request_example=examples.SUBSCRIBER_CHANGE,
    )
    def patch(self, call: Call, subscriber_id: int) -> Any:
        """What is left out stays as it is; all of it is changed or nothing."""
        return modify_subscriber(
            call.tenant, subscriber_id, subscriber_change(call.body), now=call.now, by=call.caller.actor
        )


class Suspend(Door):
    @operation(
        "subscribers_suspend",
        "Suspend a subscriber",
        permission="subscribers.suspend",
        tag=TAG,
        path=ID,
        answer=SubscriberShape,
        target="subscriber",
        key="optional",
        problems=(409,),
    )
    def post(self, call: Call, subscriber_id: int) -> Any:
        """The next request for credit is refused, sessions that are going on end within seconds."""
        return suspend_subscriber(call.tenant, subscriber_id, now=call.now, by=call.caller.actor)


class Reactivate(Door):
    @operation(
        "subscribers_reactivate",
        "End a suspension",
        permission="subscribers.reactivate",
        tag=TAG,
        path=ID,
        answer=SubscriberShape,
        target="subscriber",
        key="optional",
        problems=(409,),
    )
    def post(self, call: Call, subscriber_id: int) -> Any:
        """Service is there again at once."""
        return reactivate_subscriber(call.tenant, subscriber_id, now=call.now, by=call.caller.actor)


class Terminate(Door):
    @operation(
        "subscribers_terminate",
        "End a subscriber for good",
        permission="subscribers.terminate",
        tag=TAG,
        path=ID,
        answer=TerminatedShape,
        target="subscriber",
        key="optional",
        problems=(409,),
    )
    def post(self, call: Call, subscriber_id: int) -> Any:
        """Numbers and devices are given back; where nobody else is on its account, a last bill is queued."""
        return terminate_subscriber(call.tenant, subscriber_id, now=call.now, by=call.caller.actor)


class SelfCareTokens(Door):
    @operation(
        "self_care_tokens_issue",
        "Issue a customer's own token",
        permission="tokens.issue_self_care",
        tag=TAG,
        status=201,
        path=ID,
        body=NewTokenBody,
        answer=IssuedTokenShape,
        target="token of subscriber",
        key="optional",
        kept=lambda answer: {**answer, "token": None},
        answer_example=examples.ISSUED_TOKEN,
    )
    def post(self, call: Call, subscriber_id: int) -> Any:
        """For `/api/v1/me`: hand it to the customer, or to the app that the customer has signed in to.

        It is shown this once; what is kept is a hash.
        """
        return issue_self_care_token(
            call.tenant, subscriber_id, now=call.now, hours=call.body.get("hours", 0), by=call.caller.actor
        )

    @operation(
        "self_care_tokens_revoke",
        "Take back a customer's own tokens",
        permission="tokens.issue_self_care",
        tag=TAG,
        path=ID,
        answer=RevokedShape,
        target="tokens of subscriber",
    )
    def delete(self, call: Call, subscriber_id: int) -> Any:
        """All of the subscriber's, from now on."""
        get_subscriber(call.tenant, now=call.now, subscriber_id=subscriber_id)
        return {"revoked": revoke_api_tokens(now=call.now, tenant=call.tenant, subscriber_id=subscriber_id)}


class FreeResources(Door):
    @operation(
        "resources_list",
        "Free numbers and devices",
        permission="resources.read",
        tag="Reference",
        query=FreeResourceQuery,
        answer=page_shape("FreeResourcePage", FreeResourceShape),
    )
    def get(self, call: Call) -> Response:
        """What the pool has to give to a new subscriber, ascending."""
        kind, prefix = call.query["kind"], call.query.get("prefix", "")
        return page_of(
            call.request,
            f"resources:{kind}:{prefix}",
            call.query,
            fetch=lambda position, limit: free_resources(
                call.tenant, kind, prefix=prefix, after=position[0], limit=limit
            ),
            position=lambda found: (found.value,),
            first=("",),
            shown=lambda found: FreeResourceShape(found, many=True).data,
        )
