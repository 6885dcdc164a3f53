"""Doing an admitted call, in a thread that may use the database; errors come out as BssError, all of them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

import structlog
from django.conf import settings
from django.db import Error as DatabaseFault
from django.db import InterfaceError, OperationalError, connection
from google.protobuf.message import Message

from apps.crm.domain.operations import Done, Kind
from apps.crm.operations.table import REDEEM_VOUCHER, SUBSCRIBER
from apps.crm.operations.vouchers import redeem_many
from apps.crm.selectors.subscribers import FoundSubscribers, SubscriberKey, get_subscribers
from apps.crm.services.calls import change, read, record_all_done, record_refusal
from apps.crm.services.idempotency import Answer
from apps.crm.services.vouchers import Redemption
from apps.crmapi.grpc.server.admission import Admitted
from apps.crmapi.grpc.server.errors import Internal, Unavailable
from apps.crmapi.grpc.servicers.rpc import Rpc
from apps.crmapi.grpc.servicers.subscriber_messages import subscriber_message
from apps.kernel.errors import BssError, Conflict
from apps.storage.retry import retrying

log = structlog.get_logger(__name__)

T = TypeVar("T")


def answer(admitted: Admitted, expired: Callable[[], bool] = lambda: False) -> bytes:
    """The serialised answer of a unary call. Raises BssError. ``expired``: its caller no longer waits."""
    if expired():
        # It waited for a thread longer than its caller did; nothing has been done.
        raise Unavailable("the deadline passed before the call began", code="deadline_exceeded")
    rpc = admitted.rpc
    return _guarded(rpc, lambda: _read(admitted) if rpc.operation.kind is Kind.READ else _changed(admitted))


def messages(admitted: Admitted) -> Iterator[Message]:
    """The answers of a streamed call. Raises BssError at once for an error in the call itself."""
    rpc = admitted.rpc
    found = _guarded(rpc, lambda: read(rpc.operation, admitted.call, rpc.read(admitted.request)))
    return map(rpc.write, found)


def next_portion(admitted: Admitted, found: Iterator[Message], most: int) -> list[bytes]:
    """The next answers of a stream, serialised, at most ``most``; an empty list is the end."""
    return _guarded(admitted.rpc, lambda: [message.SerializeToString() for message in islice(found, most)])


def subscribers_found(calls: list[Admitted]) -> FoundSubscribers:
    """What the database holds for many GetSubscriber calls, read together. Raises BssError."""
    keys = [SubscriberKey(call.call.tenant, call.request.id, call.request.msisdn) for call in calls]
    return _guarded(
        calls[0].rpc,
        lambda: retrying(lambda: get_subscribers(keys, now=calls[-1].call.now), repeatable=True),
    )


def subscribers_answers(found: FoundSubscribers) -> list[bytes | None]:
    """The answers of those calls, in their order; None for one that has to be done by itself. Needs no database."""
    return [
        subscriber_message(view).SerializeToString() if view is not None else None for view in found.views()
    ]


def redemptions(calls: list[Admitted]) -> list[bytes | BssError | None]:
    """The answers or errors of many redemptions, done and recorded together; None for one to be done by itself."""

    def record(done: Sequence[tuple[int, Done]]) -> None:
        record_all_done((calls[place].call, found) for place, found in done)

    asked = [(call.call, call.rpc.read(call.request)) for call in calls]
    found = _guarded(calls[0].rpc, lambda: redeem_many(asked, record))
    return [
        _redemption_answer(call, outcome) if outcome is not None else None
        for call, outcome in zip(calls, found, strict=True)
    ]


def _redemption_answer(admitted: Admitted, outcome: Redemption | Exception) -> bytes | BssError:
    def answered() -> bytes:
        if isinstance(outcome, BssError):
            record_refusal(admitted.call, outcome)
        if isinstance(outcome, Exception):
            raise outcome
        return admitted.rpc.write(outcome).SerializeToString()

    try:
        return _guarded(admitted.rpc, answered)
    except BssError as error:
        return error


def read_together(admitted: Admitted) -> bool:
    """Whether the call can be answered with others of its kind: nothing about it is special."""
    return (
        admitted.rpc.operation is SUBSCRIBER
        and not settings.API_AUDIT_READS
        and _names_another_subscriber(admitted)
    )


def redeemed_together(admitted: Admitted) -> bool:
    """The same of a redemption."""
    return (
        admitted.rpc.operation is REDEEM_VOUCHER
        and not admitted.request.account_id
        and _names_another_subscriber(admitted)
    )


def _names_another_subscriber(admitted: Admitted) -> bool:
    request = admitted.request
    # The RPC itself reports errors in it; a customer's own token has rules of its own.
    return bool(request.id > 0) != bool(request.msisdn) and admitted.call.caller.subscriber_id is None


def _read(admitted: Admitted) -> bytes:
    rpc = admitted.rpc
    body = rpc.write(read(rpc.operation, admitted.call, rpc.read(admitted.request))).SerializeToString()
    if len(body) > settings.GRPC_MAX_MESSAGE_OCTETS:
        raise BssError(
            f"the answer has {len(body):,} octets, more than fit into a message: ask for less at once",
            code="answer_too_large",
        )
    return body


def _changed(admitted: Admitted) -> bytes:
    rpc = admitted.rpc

    def write(found: Any) -> Answer:
        return Answer(0, rpc.write(found).SerializeToString())

    kept, repeated = change(rpc.operation, admitted.call, lambda: rpc.read(admitted.request), write)
    if repeated and rpc.operation.kept is not None:
        # A client would take the answer without PINs for the first one.
        raise Conflict(
            "this was done under the same key, and the secrets of its answer were handed over then",
            code="already_generated",
            where="idempotency-key",
        )
    return kept.body


def _guarded(rpc: Rpc, work: Callable[[], T]) -> T:
    try:
        return work()
    except BssError as error:
        placed = rpc.placed(error)
        if placed is error:
            raise
        raise placed from error
    except (OperationalError, InterfaceError) as error:
        log.error("database_does_not_answer", rpc=rpc.name, error=str(error)[:300])
        if not connection.in_atomic_block:
            connection.close()
        raise Unavailable("the database does not answer; try again") from error
    except Exception as error:
        incident = uuid.uuid4().hex[:12]
        # Never the message itself: it may hold names, numbers and PINs.
        log.exception("call_failed", rpc=rpc.name, incident=incident)
        if isinstance(error, DatabaseFault) and not connection.in_atomic_block:
            connection.close()
        raise Internal(f"a fault of the server; its log has it as incident {incident}") from error
