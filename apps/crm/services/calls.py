"""Calls of operations: a change happens once and is recorded with who did it, in one transaction."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from django.conf import settings
from django.db import DatabaseError

from apps.crm.domain.operations import Call, Done, Kind, Operation
from apps.crm.services.audit import Recorded, record_call, record_calls
from apps.crm.services.idempotency import Answer, do_once
from apps.kernel.errors import BssError, InvalidInput
from apps.runtime import metrics
from apps.storage.retry import retrying

log = logging.getLogger(__name__)

I = TypeVar("I")  # noqa: E741
O = TypeVar("O")  # noqa: E741


CALL_SECONDS = metrics.histogram(
    "api_call_seconds", "Calls from outside, by operation.", ("operation", "outcome")
)


@contextmanager
def _measured(operation: Operation[Any, Any]) -> Iterator[None]:
    """Observe how long the operation takes, and whether it was refused or failed."""
    begun, outcome = time.perf_counter(), "ok"
    try:
        yield
    except Exception as error:
        outcome = error.code if isinstance(error, BssError) else "failed"
        raise
    finally:
        CALL_SECONDS.labels(operation.name, outcome).observe(time.perf_counter() - begun)


def read(operation: Operation[I, O], call: Call, asked: I) -> O:
    """What a reading operation gives; it is recorded where API_AUDIT_READS says so."""
    with _measured(operation):
        found = retrying(lambda: operation.do(call, asked), repeatable=True)
    if settings.API_AUDIT_READS:
        _record(call, "ok")
    return found


def change(
    operation: Operation[I, O], call: Call, take: Callable[[], I], write: Callable[[O], Answer]
) -> tuple[Answer, bool]:
    """The answer that ``write`` makes of a change, or the one kept from before; and whether it is a repeat.

    ``take`` reads the request; an error in it is recorded as a refusal, too.

    The change, its audit record and the kept answer commit together. An error undoes all three and is recorded
    afterwards; a transaction that lost a deadlock begins again.
    """
    if operation.needs_key and not call.key:
        raise InvalidInput(
            "name the request by an idempotency key, such as a UUID, so that a repeat is not carried out again",
            code="idempotency_key_missing",
            where="idempotency-key",
        )
    with _measured(operation):
        return _change(operation, call, take, write)


def _change(
    operation: Operation[I, O], call: Call, take: Callable[[], I], write: Callable[[O], Answer]
) -> tuple[Answer, bool]:
    try:
        asked = take()
        if operation.kind is Kind.ONCE:
            found = operation.do(call, asked)
            again = operation.repeated is not None and operation.repeated(found)
            _record(call, "ok", target=operation.target(asked, found), repeated=again)
            return write(found), again
        answer, repeated = retrying(lambda: _in_one_transaction(operation, call, asked, write))
    except BssError as error:
        record_refusal(call, error)
        raise
    if repeated:
        _record(call, "ok", repeated=True)
    return answer, repeated


def record_refusal(call: Call, error: BssError) -> None:
    """Record that the call was refused; a failure to write does not hide the refusal itself."""
    try:
        _record(call, error.code, detail=str(error))
    except DatabaseError:
        log.exception("the refusal of %s could not be recorded", call.operation)


def record_all_done(done: Iterable[tuple[Call, Done]]) -> None:
    """Record several changes in the transaction in which they were made."""
    record_calls(_recorded(call, "ok", target=found.target, repeated=found.repeated) for call, found in done)


def _in_one_transaction(
    operation: Operation[I, O], call: Call, asked: I, write: Callable[[O], Answer]
) -> tuple[Answer, bool]:
    found: list[O] = []

    def do() -> Answer:
        result = operation.do(call, asked)
        found.append(result)
        _record(call, "ok", target=operation.target(asked, result))
        return write(result)

    def keep(answer: Answer) -> Answer:
        return answer if operation.kept is None else write(operation.kept(found[-1]))

    return do_once(call.caller, call.key, call.operation, call.request, call.now, do, keep)


def _record(call: Call, outcome: str, *, target: str = "", detail: str = "", repeated: bool = False) -> None:
    record_call(_recorded(call, outcome, target=target, detail=detail, repeated=repeated))


def _recorded(
    call: Call, outcome: str, *, target: str = "", detail: str = "", repeated: bool = False
) -> Recorded:
    return Recorded(
        now=call.now,
        door=call.door,
        operation=call.operation,
        caller=call.caller,
        outcome=outcome,
        target=target,
        detail=detail,
        remote=call.remote,
        request_id=call.request_id,
        repeated=repeated,
    )
