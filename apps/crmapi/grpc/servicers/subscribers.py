"""RPCs about subscribers and free numbers."""

from __future__ import annotations

from collections.abc import Iterator

from apps.crm.domain.subscribers import SubscriberFilter
from apps.crm.selectors import subscribers as reads
from apps.crm.services import subscribers as changes
from apps.crmapi.grpc.pb import crm_pb2
from apps.crmapi.grpc.servicers.rpc import Outcome, RpcCall
from apps.crmapi.grpc.servicers.subscriber_changes import (
    names_somebody,
    older_change,
    placed_in_message,
    subscriber_change,
)
from apps.crmapi.grpc.servicers.subscriber_messages import (
    MODE_NAMES,
    STATUS_NAMES,
    enum_name,
    new_subscriber,
    subscriber_message,
)
from apps.crmapi.grpc.servicers.values import collected, named_subscriber, not_negative, own_subscriber_id
from apps.mediation.pb import billing_pb2


def get_subscribers(
    call: RpcCall, request: crm_pb2.GetSubscribersRequest
) -> Iterator[billing_pb2.Subscriber]:
    mode, status, *_ = collected(
        lambda: enum_name(MODE_NAMES, request.mode, "mode"),
        lambda: enum_name(STATUS_NAMES, request.status, "status"),
        *(
            lambda name=name: not_negative(getattr(request, name), name)
            for name in ("price_plan_id", "limit", "offset", "after_id")
        ),
    )
    found = reads.list_subscribers(
        call.tenant,
        SubscriberFilter(
            mode=str(mode),
            city=request.city,
            status=str(status),
            price_plan_id=request.price_plan_id,
            price_plan=request.price_plan,
            customer_number=request.customer_number,
            account_number=request.account_number,
        ),
        now=call.now,
        after_id=request.after_id,
        limit=request.limit,
        offset=request.offset,
    )
    return map(subscriber_message, found)


def get_subscriber(call: RpcCall, request: crm_pb2.GetSubscriberRequest) -> billing_pb2.Subscriber:
    return subscriber_message(named_subscriber(call, request.id, request.msisdn))


def create_subscriber(call: RpcCall, request: billing_pb2.Subscriber) -> Outcome:
    new = new_subscriber(request)
    with placed_in_message():
        view = changes.create_subscriber(call.tenant, new, now=call.now, by=call.by)
    return Outcome(subscriber_message(view), f"subscriber {view.id}")


def modify_subscriber(call: RpcCall, request: crm_pb2.ModifySubscriberRequest) -> Outcome:
    subscriber_id = own_subscriber_id(call, *names_somebody(request))
    change = subscriber_change(request)
    with placed_in_message():
        view = changes.modify_subscriber(call.tenant, subscriber_id, change, now=call.now, by=call.by)
    return Outcome(subscriber_message(view), f"subscriber {view.id}")


def suspend_subscriber(call: RpcCall, request: crm_pb2.SuspendSubscriberRequest) -> Outcome:
    subscriber_id = own_subscriber_id(call, request.id, request.msisdn)
    view = changes.suspend_subscriber(call.tenant, subscriber_id, now=call.now, by=call.by)
    return Outcome(subscriber_message(view), f"subscriber {view.id}")


def reactivate_subscriber(call: RpcCall, request: crm_pb2.ReactivateSubscriberRequest) -> Outcome:
    subscriber_id = own_subscriber_id(call, request.id, request.msisdn)
    view = changes.reactivate_subscriber(call.tenant, subscriber_id, now=call.now, by=call.by)
    return Outcome(subscriber_message(view), f"subscriber {view.id}")


def terminate_subscriber(call: RpcCall, request: crm_pb2.TerminateSubscriberRequest) -> Outcome:
    subscriber_id = own_subscriber_id(call, request.id, request.msisdn)
    ended = changes.terminate_subscriber(call.tenant, subscriber_id, now=call.now, by=call.by)
    message = crm_pb2.TerminateSubscriberResponse(
        subscriber=subscriber_message(ended.subscriber),
        released=ended.released,
        activity_id=ended.activity_id,
    )
    return Outcome(message, f"subscriber {ended.subscriber.id}")


def get_available_resources(
    call: RpcCall, request: crm_pb2.GetAvailableResourcesRequest
) -> crm_pb2.GetAvailableResourcesResponse:
    found = reads.free_resources(
        call.tenant, request.kind, prefix=request.prefix, after=request.after, limit=request.limit or 100
    )
    return crm_pb2.GetAvailableResourcesResponse(
        resources=[
            billing_pb2.AvailableResource(id=free.id, kind=free.kind, value=free.value) for free in found
        ]
    )


def add_subscriber(call: RpcCall, request: billing_pb2.Subscriber) -> Outcome:
    new = new_subscriber(request)
    with placed_in_message():
        view = changes.create_subscriber(call.tenant, new, now=call.now, by=call.by)
    return Outcome(acknowledged(f"subscriber {view.number} is created", view.id), f"subscriber {view.id}")


def update_subscriber(call: RpcCall, request: billing_pb2.Subscriber) -> Outcome:
    msisdn = "" if request.id else request.resource.msisdn
    subscriber_id = own_subscriber_id(call, request.id, msisdn)
    change = older_change(request)
    with placed_in_message():
        view = changes.modify_subscriber(call.tenant, subscriber_id, change, now=call.now, by=call.by)
    return Outcome(acknowledged(f"subscriber {view.number} is changed", view.id), f"subscriber {view.id}")


def acknowledged(message: str, about: int) -> crm_pb2.CRMResponse:
    """The answer of the older calls."""
    return crm_pb2.CRMResponse(status=crm_pb2.ACK_OK, message=message, id=about)
