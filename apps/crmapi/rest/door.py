"""The way of every request: who calls, may they, what do they ask; carried out once, and answered in its shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpResponseBase
from rest_framework import serializers
from rest_framework.exceptions import NotAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.crm.domain.access import Caller, demand
from apps.crm.domain.errors import Forbidden
from apps.crmapi.rest.changes import carry_out, read_key, record_forbidden
from apps.crmapi.rest.operations import OWN, STAFF, Call, Operation
from apps.crmapi.rest.throttling import count_call
from apps.kernel.clock import utc_now


class Door(APIView):
    """A resource of the REST door; its methods are marked by :func:`apps.crmapi.rest.operations.operation`."""

    # Counted in check_permissions: what is refused counts, too, and is not written down without end.
    throttle_classes = []
    http_method_names = ["get", "post", "patch", "delete", "head"]

    def described(self, request: Request) -> Operation | None:
        """The operation that the request's method names, if the resource has one."""
        handler = getattr(self, (request.method or "").lower(), None)
        found: Operation | None = getattr(handler, "operation", None)
        return found

    def check_permissions(self, request: Request) -> None:
        caller = request.auth
        if not isinstance(caller, Caller):
            raise NotAuthenticated("Send a token: “Authorization: Bearer …”.")
        count_call(caller)
        described = self.described(request)
        if described is None:
            return
        try:
            demand(caller, described.permission)
            _demand_audience(caller, described)
        except Forbidden as error:
            record_forbidden(request, caller, error)
            raise

    def answer(
        self, described: Operation, method: Callable[..., Any], request: Request, place: dict[str, Any]
    ) -> Any:
        """Read the request, carry it out (a change once for its ``Idempotency-Key``), and write the answer."""
        query = _read(described.query, request.query_params) if described.query else {}
        body = _read(described.body, request.data) if described.body else {}
        key = read_key(request, described.key) if described.key else ""
        call = Call(request, request.auth, utc_now(), query, body, key)

        def do() -> Any:
            found = method(self, call, **place)
            return found if isinstance(found, HttpResponseBase) else _written(described, found)

        return carry_out(call, described.target, place, do, described.kept) if described.target else do()

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        # Balances and bills of customers stay in no cache on the way.
        response.headers.setdefault("Cache-Control", "no-store")
        return response


def _demand_audience(caller: Caller, described: Operation) -> None:
    if described.audience == OWN and not caller.only_own:
        raise Forbidden("this is for customers with their own token", where=described.permission)
    if described.audience == STAFF and caller.only_own:
        raise Forbidden("a customer's own token is for /api/v1/me alone", where=described.permission)


def _read(shape: type[serializers.Serializer], data: Any) -> dict[str, Any]:
    reader = shape(data=data)
    reader.is_valid(raise_exception=True)
    return dict(reader.validated_data)


def _written(described: Operation, found: Any) -> Response:
    answer = described.answer
    if isinstance(answer, serializers.ListSerializer):
        shape: Any = type(answer.child)
        return Response(shape(found, many=True).data, status=described.status)
    return Response(answer(found).data, status=described.status)
