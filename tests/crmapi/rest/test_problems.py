"""Errors become problem documents, and an unforeseen one becomes one that says nothing of the inside."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

import pytest
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import IntegrityError, OperationalError
from django.http import Http404
from rest_framework import exceptions

from apps.charging.services.executor import ChargingUnavailable
from apps.crm.domain.errors import Forbidden, TooManyRequests, Unauthenticated
from apps.crmapi.rest.fields import AmountField, InstantField, RequestBody, StrictInteger, StrictText
from apps.crmapi.rest.problems import MEDIA_TYPE, exception_handler
from apps.kernel.errors import BssError, Conflict, InvalidInput, InvalidInputs, NotFound, Problem
from apps.rating.domain.errors import RatingError
from apps.vouchers.domain.redemption import RedemptionRefused


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Unauthenticated("no", code="expired"), 401, "expired"),
        (Forbidden("no"), 403, "forbidden"),
        (NotFound("no"), 404, "not_found"),
        (Conflict("no", code="in_use"), 409, "in_use"),
        (Conflict("no", code="idempotency_key_reused"), 422, "idempotency_key_reused"),
        (RedemptionRefused("no", code="redemption_wait", wait_s=7), 429, "redemption_wait"),
        (InvalidInput("no", where="name"), 422, "invalid_input"),
        (InvalidInput("no", code="invalid_cursor"), 400, "invalid_cursor"),
        (InvalidInputs([Problem("a", "wrong"), Problem("b", "wrong")]), 422, "invalid_input"),
        (RatingError("no", code="unauthorised_destination"), 422, "unauthorised_destination"),
        (TooManyRequests("no", 0.2), 429, "too_many_requests"),
        (ChargingUnavailable("no"), 503, "charging_unavailable"),
        (BssError("no", code="brand_new"), 409, "brand_new"),
        (exceptions.ParseError(), 400, "malformed_request"),
        (exceptions.NotAuthenticated(), 401, "token_missing"),
        (exceptions.MethodNotAllowed("PUT"), 405, "method_not_allowed"),
        (exceptions.NotAcceptable(), 406, "not_acceptable"),
        (exceptions.UnsupportedMediaType("text/plain"), 415, "unsupported_media_type"),
        (exceptions.ValidationError({"a": ["wrong"]}), 400, "invalid_request"),
        (Http404(), 404, "not_found"),
        (RequestDataTooBig(), 413, "request_too_large"),
        (SuspiciousOperation("odd"), 400, "malformed_request"),
        (OperationalError("gone away"), 503, "unavailable"),
        (IntegrityError("duplicate"), 409, "collision"),
        (ZeroDivisionError("the inside"), 500, "internal_error"),
    ],
)
def test_an_error_has_its_status_and_code(error, status, code, db):
    response = exception_handler(error, {})
    assert (response.status_code, response.data["code"], response.data["status"]) == (status, code, status)
    assert response.data["type"] == f"urn:bss:problem:{code}"
    assert response.content_type == MEDIA_TYPE
    assert json.dumps(response.data)
    assert ("Retry-After" in response.headers) == (status in (429, 503))
    assert ("the inside" in str(response.data)) is False


def test_an_error_of_ours_is_in_the_log_under_the_number_that_is_told(db, caplog):
    with caplog.at_level(logging.ERROR):
        response = exception_handler(ZeroDivisionError("the inside"), {})
    assert response.data["incident"] in caplog.text
    assert "the inside" in caplog.text


def test_field_errors_name_their_path():
    class Inner(RequestBody):
        name = StrictText(max_length=3)

    class Body(RequestBody):
        inner = Inner()
        numbers = StrictText(required=False)

    reader = Body(data={"inner": {"name": "long", "x": 1}, "y": 2})
    with pytest.raises(exceptions.ValidationError) as raised:
        reader.is_valid(raise_exception=True)
    assert exception_handler(raised.value, {}).data["errors"] == [
        {"field": "y", "code": "unknown", "detail": "is not known here; known are inner, numbers"}
    ]
    reader = Body(data={"inner": {"name": "long"}})
    with pytest.raises(exceptions.ValidationError) as raised:
        reader.is_valid(raise_exception=True)
    assert exception_handler(raised.value, {}).data["errors"][0]["field"] == "inner.name"


@pytest.mark.parametrize(
    ("field", "given", "read"),
    [
        (AmountField(), "12.5", 12_500_000),
        (AmountField(), "-0.000001", -1),
        (AmountField(), 12.5, None),
        (AmountField(), "12.5000001", None),
        (AmountField(), "1" * 30, None),
        (AmountField(), None, None),
        (InstantField(), "2026-01-31T23:59:59Z", datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)),
        (InstantField(), "2026-02-01T00:59:59+01:00", datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)),
        (InstantField(), "2026-01-31T23:59:59", None),
        (InstantField(), "0001-01-01T00:00:00+14:00", None),
        (InstantField(), "9999-12-31T23:59:59-14:00", None),
        (InstantField(), 1, None),
        (StrictInteger(), 5, 5),
        (StrictInteger(), 5.0, None),
        (StrictInteger(), "5", None),
        (StrictInteger(), True, None),
        (StrictInteger(), -1, None),
        (StrictText(), "x", "x"),
        (StrictText(), 1, None),
        (StrictText(), "\x00", None),
        (StrictText(), "\ud800", None),
    ],
)
def test_fields_read_exactly_the_documented_forms(field, given, read):
    if read is None:
        with pytest.raises(exceptions.ValidationError):
            field.run_validation(given)
    else:
        assert field.run_validation(given) == read
