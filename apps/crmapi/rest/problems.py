"""Problem details (RFC 9457): one table from what can go wrong to the answer that says so."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from http import HTTPStatus
from math import ceil
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.core.signals import got_request_exception
from django.db import IntegrityError, OperationalError
from django.http import Http404, UnreadablePostError
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import set_rollback

from apps.crm.domain.errors import Forbidden, TooManyRequests, Unauthenticated
from apps.kernel.errors import BssError, Conflict, InvalidInput, InvalidInputs, NotFound
from apps.licensing.domain.errors import LicenceError
from apps.rating.domain.errors import RatingError

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:bss:problem:"
# How long a client should wait by default.
RETRY_AFTER_S = 5

# An error's own code decides before its class, and the more special class before the more general one.
STATUS_OF_CODE: dict[str, int] = {
    "bad_idempotency_key": status.HTTP_400_BAD_REQUEST,
    "idempotency_key_missing": status.HTTP_400_BAD_REQUEST,
    "invalid_cursor": status.HTTP_400_BAD_REQUEST,
    "idempotency_key_reused": status.HTTP_422_UNPROCESSABLE_ENTITY,
    "redemption_wait": status.HTTP_429_TOO_MANY_REQUESTS,
    "charging_unavailable": status.HTTP_503_SERVICE_UNAVAILABLE,
}
STATUS_OF_CLASS: tuple[tuple[type[BssError], int], ...] = (
    (Unauthenticated, status.HTTP_401_UNAUTHORIZED),
    (Forbidden, status.HTTP_403_FORBIDDEN),
    (TooManyRequests, status.HTTP_429_TOO_MANY_REQUESTS),
    (LicenceError, status.HTTP_503_SERVICE_UNAVAILABLE),
    (NotFound, status.HTTP_404_NOT_FOUND),
    (Conflict, status.HTTP_409_CONFLICT),
    (InvalidInput, status.HTTP_422_UNPROCESSABLE_ENTITY),
    (InvalidInputs, status.HTTP_422_UNPROCESSABLE_ENTITY),
    (RatingError, status.HTTP_422_UNPROCESSABLE_ENTITY),
    # Any other error that a person can act on: the state of things forbids it.
    (BssError, status.HTTP_409_CONFLICT),
)
CODE_OF_FRAMEWORK: tuple[tuple[type[Exception], int, str], ...] = (
    (exceptions.ParseError, 400, "malformed_request"),
    (exceptions.NotAuthenticated, 401, "token_missing"),
    (exceptions.AuthenticationFailed, 401, "unauthenticated"),
    (exceptions.PermissionDenied, 403, "forbidden"),
    (PermissionDenied, 403, "forbidden"),
    (exceptions.NotFound, 404, "not_found"),
    (Http404, 404, "not_found"),
    (exceptions.MethodNotAllowed, 405, "method_not_allowed"),
    (exceptions.NotAcceptable, 406, "not_acceptable"),
    (exceptions.UnsupportedMediaType, 415, "unsupported_media_type"),
    (exceptions.Throttled, 429, "too_many_requests"),
    (RequestDataTooBig, 413, "request_too_large"),
    (SuspiciousOperation, 400, "malformed_request"),
    (UnreadablePostError, 400, "malformed_request"),
)


def status_of(error: BssError) -> int:
    """The HTTP status that an error of the product is answered with."""
    if error.code in STATUS_OF_CODE:
        return STATUS_OF_CODE[error.code]
    return next(code for kind, code in STATUS_OF_CLASS if isinstance(error, kind))


def problem(
    status_code: int,
    code: str,
    detail: str,
    *,
    errors: list[dict[str, str]] | None = None,
    headers: dict[str, str] | None = None,
    **more: Any,
) -> Response:
    """An answer with a problem document; ``errors`` name the fields that are wrong."""
    body: dict[str, Any] = {
        "type": TYPE_PREFIX + code,
        "title": HTTPStatus(status_code).phrase,
        "status": status_code,
        "code": code,
        "detail": detail,
        **more,
    }
    if errors:
        # A field is called as the request calls it: JSON can name surrogates, which no answer can hold.
        body["errors"] = [
            {name: text.encode(errors="backslashreplace").decode() for name, text in error.items()}
            for error in errors
        ]
    return Response(body, status=status_code, headers=headers, content_type=MEDIA_TYPE)


def exception_handler(error: Exception, context: dict[str, Any]) -> Response:
    """Every error of a view becomes a problem document; an unexpected one names the incident in the log."""
    set_rollback()
    if isinstance(error, BssError):
        return problem_of(error)
    if isinstance(error, exceptions.ValidationError):
        return problem(
            400, "invalid_request", "The request has errors; see “errors”.", errors=list(_flat(error.detail))
        )
    for kind, status_code, code in CODE_OF_FRAMEWORK:
        if isinstance(error, kind):
            return problem(status_code, code, _sentence(error, status_code), headers=_headers(error))
    if isinstance(error, OperationalError):
        log.warning("rest_database_unavailable", exc_info=error)
        return problem(
            503,
            "unavailable",
            "The database does not answer; try again later.",
            headers={"Retry-After": str(RETRY_AFTER_S)},
        )
    if isinstance(error, IntegrityError):
        # A rule of the database that two requests broke together; each alone was fine when it looked.
        log.warning("rest_request_collided", exc_info=error)
        return problem(
            409, "collision", "Another request changed the same at this very moment; look, and try again."
        )
    incident = uuid.uuid4().hex[:12]
    request = context.get("request")
    log.error(
        "rest_request_failed",
        incident=incident,
        method=getattr(request, "method", ""),
        path=getattr(request, "path", ""),
        exc_info=error,
    )
    # Listeners for failed requests (such as the tests' client) are told, as for one that Django answers.
    got_request_exception.send(sender=exception_handler, request=getattr(request, "_request", None))
    return problem(
        500,
        "internal_error",
        f"Something is wrong on our side; tell the operator incident {incident}.",
        incident=incident,
    )


def problem_of(error: BssError) -> Response:
    """The problem document of an error of the product."""
    status_code = status_of(error)
    errors: list[dict[str, str]] = []
    if isinstance(error, InvalidInputs):
        errors = [
            {"field": found.where, "code": found.code, "detail": found.message} for found in error.problems
        ]
    elif error.where and status_code not in (401, 403, 429):
        errors = [{"field": error.where, "code": error.code, "detail": error.message}]
    headers = {"Retry-After": str(RETRY_AFTER_S)} if status_code == 503 else {}
    # Too many calls, or too many wrong PINs: how long to wait is known.
    wait_s = getattr(error, "retry_after_s", 0) or getattr(error, "wait_s", 0)
    if wait_s:
        headers["Retry-After"] = str(max(1, ceil(wait_s)))
    if status_code == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="api"'
    return problem(status_code, error.code, error.message, errors=errors, headers=headers)


def _sentence(error: Exception, status_code: int) -> str:
    if isinstance(error, exceptions.APIException):
        return str(error.detail)
    if status_code == 413:
        return "The body of the request is too large."
    if status_code == 404:
        return "There is nothing at this address."
    return str(error) or HTTPStatus(status_code).description


def _headers(error: Exception) -> dict[str, str]:
    headers = {}
    if getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = str(error.auth_header)  # type: ignore[attr-defined]
    if getattr(error, "wait", None):
        headers["Retry-After"] = str(int(error.wait) + 1)  # type: ignore[attr-defined]
    return headers


def _flat(detail: Any, path: str = "") -> Iterator[dict[str, str]]:
    """DRF's nested errors as a list with dotted paths; “resources.0.value”."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            # An error that is about several fields at once belongs to the whole.
            yield from _flat(inner, path if name == "non_field_errors" else f"{path}.{name}".lstrip("."))
    elif isinstance(detail, list):
        for number, inner in enumerate(detail):
            nested = isinstance(inner, dict | list)
            if inner:
                yield from _flat(inner, f"{path}.{number}".lstrip(".") if nested else path)
    else:
        yield {"field": path, "code": str(getattr(detail, "code", "invalid")), "detail": str(detail)}
