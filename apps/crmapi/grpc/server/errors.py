"""Errors as gRPC statuses: a code, a sentence, and details that programs can read (google.rpc.Status)."""

from __future__ import annotations

from dataclasses import dataclass

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2

from apps.crm.domain.errors import Forbidden, TooManyRequests, Unauthenticated
from apps.kernel.errors import BssError, Conflict, InvalidInput, InvalidInputs, NotFound, Problem

DOMAIN = "bss"
DETAILS_KEY = "grpc-status-details-bin"
# Trailing metadata has to stay below what clients accept (8 KiB).
MOST_VIOLATIONS = 20
MOST_CHARACTERS = 200
MOST_MESSAGE = 1000
RETRY_AFTER_S = 1.0

CODE = grpc.StatusCode
# The first that fits decides: the error's own code, else its class.
STATUS_OF_CODE = {
    "already_exists": CODE.ALREADY_EXISTS,
    "already_queued": CODE.ALREADY_EXISTS,
    "already_billed": CODE.ALREADY_EXISTS,
    "already_generated": CODE.ALREADY_EXISTS,
    "already_recorded": CODE.ALREADY_EXISTS,
    "idempotency_key_reused": CODE.ALREADY_EXISTS,
    "redemption_wait": CODE.RESOURCE_EXHAUSTED,
    "redemption_locked": CODE.PERMISSION_DENIED,
    "answer_too_large": CODE.RESOURCE_EXHAUSTED,
    "deadline_exceeded": CODE.DEADLINE_EXCEEDED,
    "unavailable": CODE.UNAVAILABLE,
    "charging_unavailable": CODE.UNAVAILABLE,
    "internal": CODE.INTERNAL,
}
STATUS_OF_CLASS: tuple[tuple[type[BssError], grpc.StatusCode], ...] = (
    (Unauthenticated, CODE.UNAUTHENTICATED),
    (Forbidden, CODE.PERMISSION_DENIED),
    (TooManyRequests, CODE.RESOURCE_EXHAUSTED),
    (NotFound, CODE.NOT_FOUND),
    (InvalidInput, CODE.INVALID_ARGUMENT),
    (InvalidInputs, CODE.INVALID_ARGUMENT),
    (Conflict, CODE.FAILED_PRECONDITION),
    # No price, no cycle, no document: the state of things, not the message.
    (BssError, CODE.FAILED_PRECONDITION),
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a call is ended with: a gRPC code, a sentence, and serialised google.rpc.Status."""

    code: grpc.StatusCode
    message: str
    details: bytes

    @property
    def trailing(self) -> tuple[tuple[str, bytes]]:
        return ((DETAILS_KEY, self.details),)


class Unavailable(BssError):
    """The database does not answer, or the server stops; the same call may go through later."""

    code = "unavailable"


class Internal(BssError):
    """A fault of ours; the log has it under the incident that the message names."""

    code = "internal"


def status_code(error: BssError) -> grpc.StatusCode:
    found = STATUS_OF_CODE.get(error.code)
    if found is not None:
        return found
    return next(code for kind, code in STATUS_OF_CLASS if isinstance(error, kind))


def refusal(error: BssError) -> Refusal:
    """How an error leaves the server."""
    code = status_code(error)
    message = (error.message or str(error))[:MOST_MESSAGE]
    status = status_pb2.Status(code=code.value[0], message=message)
    status.details.append(
        _packed(error_details_pb2.ErrorInfo(reason=error.code, domain=DOMAIN, metadata=_place(error)))
    )
    problems = _problems(error) if code is CODE.INVALID_ARGUMENT else []
    if problems:
        status.details.append(
            _packed(
                error_details_pb2.BadRequest(
                    field_violations=[
                        error_details_pb2.BadRequest.FieldViolation(
                            field=problem.where[:MOST_CHARACTERS],
                            description=problem.message[:MOST_CHARACTERS],
                            reason=problem.code,
                        )
                        for problem in problems[:MOST_VIOLATIONS]
                    ]
                )
            )
        )
    wait_s = _wait_s(error, code)
    if wait_s > 0:
        whole = int(wait_s)
        delay = duration_pb2.Duration(seconds=whole, nanos=int((wait_s - whole) * 1e9))
        status.details.append(_packed(error_details_pb2.RetryInfo(retry_delay=delay)))
    return Refusal(code, message, status.SerializeToString())


def _problems(error: BssError) -> list[Problem]:
    if isinstance(error, InvalidInputs):
        return error.problems
    return [Problem(error.where, error.message, error.code)] if error.where else []


def _place(error: BssError) -> dict[str, str]:
    return {"where": error.where[:MOST_CHARACTERS]} if error.where else {}


def _wait_s(error: BssError, code: grpc.StatusCode) -> float:
    # Too many calls, or too many wrong PINs: how long to wait is known.
    wait_s = getattr(error, "retry_after_s", 0) or getattr(error, "wait_s", 0)
    if wait_s:
        return float(wait_s)
    return RETRY_AFTER_S if code is CODE.UNAVAILABLE else 0.0


def _packed(detail: object) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(detail)  # type: ignore[arg-type]
    return packed
