"""A call that changes something: done once, recorded with who did it, in one transaction."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import NamedTuple

from django.db import DatabaseError

from apps.crm.domain.access import Caller
from apps.crm.services.audit import Recorded, record_call, record_calls
from apps.crm.services.idempotency import Answer, do_once
from apps.kernel.errors import BssError
from apps.storage.retry import retrying

log = logging.getLogger(__name__)


class Call(NamedTuple):
    """What is known of a call before it is done. ``operation`` is the RPC, or method and route."""

    caller: Caller
    door: str
    operation: str
    now: datetime
    key: str = ""
    request: bytes = b""
    remote: str = ""
    request_id: str = ""


class Done(NamedTuple):
    """What came of it; ``target`` names what it was about for the audit record ("subscriber 12")."""

    answer: Answer
    target: str = ""


def perform(
    call: Call, do: Callable[[], Done], keep: Callable[[Answer], Answer] | None = None
) -> tuple[Answer, bool]:
    """Do it, record it, keep its answer under the call's idempotency key; (answer, whether it is a repeat).

    The change, its audit record and the kept answer commit together. An error undoes all three and is then recorded
    by itself; a transaction that lost a deadlock is begun again. ``keep``: see
    :func:`apps.crm.services.idempotency.do_once`.
    """

    def do_and_record() -> Answer:
        done = do()
        _record(call, "ok", target=done.target)
        return done.answer

    try:
        answer, repeated = retrying(
            lambda: do_once(
                call.caller, call.key, call.operation, call.request, call.now, do_and_record, keep
            )
        )
    except BssError as error:
        record_refusal(call, error)
        raise
    if repeated:
        _record(call, "ok", repeated=True)
    return answer, repeated


def record_done(call: Call, target: str = "") -> None:
    """Write down what is not done through :func:`perform`: a change that sees to its own transaction, or a read."""
    _record(call, "ok", target=target)


def record_refusal(call: Call, error: BssError) -> None:
    """Write down that the call was refused; a failure to write does not hide the refusal itself."""
    try:
        _record(call, error.code, detail=str(error))
    except DatabaseError:
        log.exception("the refusal of %s could not be recorded", call.operation)


def record_all_done(done: Iterable[tuple[Call, str]]) -> None:
    """As :func:`record_done` for several calls with their targets, in the transaction in which they were done."""
    record_calls(_recorded(call, "ok", target=target) for call, target in done)


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
