"""Operations about subscribers, their own tokens, and free numbers."""

from __future__ import annotations

from collections.abc import Iterator

from apps.crm.domain.access import demand_own
from apps.crm.domain.asked import (
    FreeResourcesAsked,
    SelfCareTokenAsked,
    SubscriberChangeAsked,
    SubscriberRef,
    SubscribersAsked,
)
from apps.crm.domain.errors import Forbidden
from apps.crm.domain.operations import Call
from apps.crm.domain.subscribers import FreeResource, NewSubscriber, SubscriberView, Terminated
from apps.crm.selectors import subscribers as reads
from apps.crm.services import api_tokens
from apps.crm.services import subscribers as changes
from apps.kernel.errors import InvalidInput, NotFound


def find(call: Call, asked: SubscriberRef) -> SubscriberView:
    """The subscriber that is named. Others' numbers look alike to a customer's own token, whether they exist or not."""
    subscriber_id, own = asked.subscriber_id, call.caller.subscriber_id
    if own is not None:
        if not subscriber_id and not asked.msisdn:
            subscriber_id = own
        if subscriber_id:
            demand_own(call.caller, subscriber_id)
    try:
        found = reads.get_subscriber(
            call.tenant, now=call.now, subscriber_id=subscriber_id, msisdn=asked.msisdn
        )
    except NotFound:
        if own is not None and asked.msisdn:
            raise Forbidden("a self-care token is for its own subscriber alone", where="subscriber") from None
        raise
    demand_own(call.caller, found.id)
    return found


def find_id(call: Call, asked: SubscriberRef) -> int:
    """As :func:`find`, but an id is not looked up: the use case does that."""
    if asked.msisdn:
        return find(call, asked).id
    own = call.caller.subscriber_id
    if not asked.subscriber_id and own is None:
        raise InvalidInput("give the subscriber's id or its MSISDN, one of them", where="id")
    demand_own(call.caller, asked.subscriber_id or own or 0)
    return asked.subscriber_id or own or 0


def find_all(call: Call, asked: SubscribersAsked) -> Iterator[SubscriberView]:
    if not asked.msisdn:
        return reads.list_subscribers(
            call.tenant,
            asked.wanted,
            now=call.now,
            after_id=asked.after_id,
            limit=asked.limit,
            offset=asked.offset,
        )
    try:
        found = reads.get_subscriber(call.tenant, now=call.now, msisdn=asked.msisdn)
    except NotFound:
        return iter(())
    return iter([found] if found.id > asked.after_id else [])


def create(call: Call, new: NewSubscriber) -> SubscriberView:
    return changes.create_subscriber(call.tenant, new, now=call.now, by=call.by)


def modify(call: Call, asked: SubscriberChangeAsked) -> SubscriberView:
    return changes.modify_subscriber(
        call.tenant, find_id(call, asked), asked.change, now=call.now, by=call.by
    )


def suspend(call: Call, asked: SubscriberRef) -> SubscriberView:
    return changes.suspend_subscriber(call.tenant, find_id(call, asked), now=call.now, by=call.by)


def reactivate(call: Call, asked: SubscriberRef) -> SubscriberView:
    return changes.reactivate_subscriber(call.tenant, find_id(call, asked), now=call.now, by=call.by)


def terminate(call: Call, asked: SubscriberRef) -> Terminated:
    return changes.terminate_subscriber(call.tenant, find_id(call, asked), now=call.now, by=call.by)


def free_resources(call: Call, asked: FreeResourcesAsked) -> list[FreeResource]:
    return reads.free_resources(
        call.tenant, asked.kind, prefix=asked.prefix, after=asked.after, limit=asked.limit
    )


def issue_token(call: Call, asked: SelfCareTokenAsked) -> api_tokens.IssuedToken:
    return api_tokens.issue_self_care_token(
        call.tenant, find_id(call, asked), now=call.now, hours=asked.hours, by=call.by
    )


def revoke_tokens(call: Call, asked: SubscriberRef) -> api_tokens.Revoked:
    found = find(call, asked)
    return api_tokens.Revoked(
        found.id,
        api_tokens.revoke_api_tokens(now=call.now, tenant=call.tenant, subscriber_id=found.id),
    )
