"""Doing an admitted call, in a thread that may use the database; errors come out as BssError, all of them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

import structlog
from django.conf import settings
from django.db import Error as DatabaseFault
from django.db import InterfaceError, OperationalError, connection
from google.protobuf.message import Message

from apps.crm.selectors.subscribers import FoundSubscribers, SubscriberKey, get_subscribers
from apps.crm.services.audit import READING
from apps.crm.services.calls import Done, perform, record_all_done, record_done, record_refusal
from apps.crm.services.idempotency import Answer
from apps.crmapi.grpc.server.admission import Admitted
from apps.crmapi.grpc.server.errors import Internal, Unavailable
from apps.crmapi.grpc.servicers.rpc import Kind, Outcome
from apps.crmapi.grpc.servicers.subscriber_messages import subscriber_message
from apps.crmapi.grpc.servicers.vouchers import RedeemCall, redeem_vouchers
from apps.kernel.errors import BssError
from apps.storage.retry import retrying

log = structlog.get_logger(__name__)

T = TypeVar("T")


def answer(admitted: Admitted, expired: Callable[[], bool] = lambda: False) -> bytes:
    """The serialised answer of a unary call. Raises BssError. ``expired``: nobody waits for it any more."""
    if expired():
        # It waited for a thread longer than its caller did; nothing has been done.
        raise Unavailable("the deadline passed before the call began", code="deadline_exceeded")
    return _guarded(
        admitted, lambda: retrying(lambda: _done(admitted), repeatable=admitted.rpc.kind is Kind.READ)
    )


def messages(admitted: Admitted) -> Iterator[Message]:
    """The answers of a streamed call. Raises BssError at once for what is wrong with the call itself."""
    found = _guarded(
        admitted,
        lambda: retrying(lambda: iter(admitted.rpc.do(admitted.call, admitted.request)), repeatable=True),
    )
    _record_read(admitted)
    return found


def next_portion(admitted: Admitted, found: Iterator[Message], most: int) -> list[bytes]:
    """The next answers of a stream, serialised, at most ``most``; an empty list is the end."""
    return _guarded(admitted, lambda: [message.SerializeToString() for message in islice(found, most)])


def subscribers_found(calls: list[Admitted]) -> FoundSubscribers:
    """What the database holds for many GetSubscriber calls, read together. Raises BssError."""
    keys = [SubscriberKey(call.call.tenant, call.request.id, call.request.msisdn) for call in calls]
    return _guarded(
        calls[0],
        lambda: retrying(lambda: get_subscribers(keys, now=calls[-1].call.now), repeatable=True),
    )


def subscribers_answers(found: FoundSubscribers) -> list[bytes | None]:
    """The answers of those calls, in their order; None for one that has to be done by itself. Needs no database."""
    return [
        subscriber_message(view).SerializeToString() if view is not None else None for view in found.views()
    ]


def redemptions(calls: list[Admitted]) -> list[bytes | None]:
    """The answers of many RedeemVoucher calls, redeemed and recorded together; None for one to be done by itself."""

    def record(done: Sequence[tuple[int, str]]) -> None:
        record_all_done((calls[place].record(), target) for place, target in done)

    asked = [RedeemCall(call.call, call.request) for call in calls]
    found = _guarded(calls[0], lambda: redeem_vouchers(asked, record))
    return [message.SerializeToString() if message is not None else None for message in found]


def read_together(admitted: Admitted) -> bool:
    """Whether the call can be answered with others of its kind: nothing about it is special."""
    return (
        admitted.rpc.name == "GetSubscriber"
        and not settings.API_AUDIT_READS
        and _names_another_subscriber(admitted)
    )


def redeemed_together(admitted: Admitted) -> bool:
    """The same of a redemption."""
    return (
        admitted.rpc.name == "RedeemVoucher"
        and not admitted.request.account_id
        and _names_another_subscriber(admitted)
    )


def _names_another_subscriber(admitted: Admitted) -> bool:
    request = admitted.request
    # Whatever is wrong with it is said by the RPC itself; a customer's own token has rules of its own.
    return bool(request.id > 0) != bool(request.msisdn) and admitted.call.caller.subscriber_id is None


def _done(admitted: Admitted) -> bytes:
    rpc, call = admitted.rpc, admitted.call
    if rpc.kind is Kind.READ:
        message = rpc.do(call, admitted.request)
        _record_read(admitted)
        body: bytes = message.SerializeToString()
        if len(body) > settings.GRPC_MAX_MESSAGE_OCTETS:
            raise BssError(
                f"the answer has {len(body):,} octets, more than fit into a message: ask for less at once",
                code="answer_too_large",
            )
        return body
    if rpc.kind is Kind.CHANGE:
        kept, _ = perform(admitted.record(), lambda: _as_done(rpc.do(call, admitted.request)))
        return kept.body
    try:
        outcome: Outcome = rpc.do(call, admitted.request)
    except BssError as error:
        record_refusal(admitted.record(), error)
        raise
    record_done(admitted.record(), outcome.target)
    return bytes(outcome.message.SerializeToString())


def _as_done(outcome: Outcome) -> Done:
    return Done(Answer(0, outcome.message.SerializeToString()), outcome.target)


def _record_read(admitted: Admitted) -> None:
    if settings.API_AUDIT_READS and admitted.rpc.permission in READING:
        record_done(admitted.record())


def _guarded(admitted: Admitted, work: Callable[[], T]) -> T:
    try:
        return work()
    except BssError:
        raise
    except (OperationalError, InterfaceError) as error:
        log.error("database_does_not_answer", rpc=admitted.rpc.name, error=str(error)[:300])
        if not connection.in_atomic_block:
            connection.close()
        raise Unavailable("the database does not answer; try again") from error
    except Exception as error:
        incident = uuid.uuid4().hex[:12]
        # Never the message itself: it may hold names, numbers and PINs.
        log.exception("call_failed", rpc=admitted.rpc.name, incident=incident)
        if isinstance(error, DatabaseFault) and not connection.in_atomic_block:
            connection.close()
        raise Internal(f"a fault of the server; its log has it as incident {incident}") from error
