"""Messages of RPCs about subscribers and free numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from apps.crm.domain.asked import FreeResourcesAsked, SubscriberChangeAsked, SubscriberRef, SubscribersAsked
from apps.crm.domain.subscribers import FreeResource, SubscriberFilter, SubscriberView, Terminated
from apps.crmapi.grpc.pb import crm_pb2
from apps.crmapi.grpc.servicers.subscriber_changes import older_change, subscriber_change
from apps.crmapi.grpc.servicers.subscriber_messages import (
    MODE_NAMES,
    STATUS_NAMES,
    enum_name,
    subscriber_message,
)
from apps.crmapi.grpc.servicers.values import acknowledged, collected, not_negative, one_of
from apps.mediation.pb import billing_pb2


def named(request: Any) -> SubscriberRef:
    """The subscriber that a message names by ``id`` or ``msisdn``; neither is a customer's own."""
    return SubscriberRef(subscriber_id=one_of(request.id, request.msisdn), msisdn=request.msisdn)


def filtered(request: crm_pb2.GetSubscribersRequest) -> SubscribersAsked:
    mode, status, *_ = collected(
        lambda: enum_name(MODE_NAMES, request.mode, "mode"),
        lambda: enum_name(STATUS_NAMES, request.status, "status"),
        *(
            lambda name=name: not_negative(getattr(request, name), name)
            for name in ("price_plan_id", "limit", "offset", "after_id")
        ),
    )
    wanted = SubscriberFilter(
        mode=str(mode),
        city=request.city,
        status=str(status),
        price_plan_id=request.price_plan_id,
        price_plan=request.price_plan,
        customer_number=request.customer_number,
        account_number=request.account_number,
    )
    return SubscribersAsked(
        wanted=wanted, after_id=request.after_id, limit=request.limit, offset=request.offset
    )


def changed(request: crm_pb2.ModifySubscriberRequest) -> SubscriberChangeAsked:
    subscriber_id = one_of(request.subscriber.id, request.msisdn, "subscriber.id")
    return SubscriberChangeAsked(
        subscriber_id=subscriber_id, msisdn=request.msisdn, change=subscriber_change(request)
    )


def changed_by_older(request: billing_pb2.Subscriber) -> SubscriberChangeAsked:
    msisdn = "" if request.id else request.resource.msisdn
    return SubscriberChangeAsked(
        subscriber_id=one_of(request.id, msisdn), msisdn=msisdn, change=older_change(request)
    )


def resources_asked(request: crm_pb2.GetAvailableResourcesRequest) -> FreeResourcesAsked:
    return FreeResourcesAsked(
        kind=request.kind, prefix=request.prefix, after=request.after, limit=request.limit or 100
    )


def resources(found: Sequence[FreeResource]) -> crm_pb2.GetAvailableResourcesResponse:
    return crm_pb2.GetAvailableResourcesResponse(
        resources=[
            billing_pb2.AvailableResource(id=free.id, kind=free.kind, value=free.value) for free in found
        ]
    )


def terminated(found: Terminated) -> crm_pb2.TerminateSubscriberResponse:
    return crm_pb2.TerminateSubscriberResponse(
        subscriber=subscriber_message(found.subscriber),
        released=found.released,
        activity_id=found.activity_id,
    )


def added(view: SubscriberView) -> crm_pb2.CRMResponse:
    return acknowledged(f"subscriber {view.number} is created", view.id)


def updated(view: SubscriberView) -> crm_pb2.CRMResponse:
    return acknowledged(f"subscriber {view.number} is changed", view.id)
