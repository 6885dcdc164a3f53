"""The way of every request: who calls, may they, what do they ask; done once, and answered in its shape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any, ClassVar

from django.http import FileResponse, HttpResponse, HttpResponseBase
from django.urls import URLPattern, path
from rest_framework.exceptions import NotAuthenticated
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.crm.domain.access import Caller
from apps.crm.domain.bills import BillFile
from apps.crm.domain.errors import Forbidden
from apps.crm.domain.operations import Audience, Call, Kind, permit
from apps.crm.services.calls import change, read, record_refusal
from apps.crm.services.idempotency import Answer
from apps.crmapi.rest.call import REPLAYED, call_of
from apps.crmapi.rest.endpoint import PDF, Endpoint, Values, schema_of
from apps.crmapi.rest.fields import Shape
from apps.crmapi.rest.pagination import page_of
from apps.crmapi.rest.throttling import count_call
from apps.kernel.errors import Conflict
from apps.licensing.domain.licence import Feature
from apps.licensing.services import gate


class ApiView(APIView):
    """An address; its methods are endpoints."""

    # Counted in check_permissions: refused calls count, too, and are not recorded without end.
    throttle_classes = []
    http_method_names = ["get", "post", "patch", "delete", "head"]
    endpoints: ClassVar[Mapping[str, Endpoint]] = {}

    def check_permissions(self, request: Request) -> None:
        caller = request.auth
        if not isinstance(caller, Caller):
            raise NotAuthenticated("Send a token: “Authorization: Bearer …”.")
        count_call(caller)
        gate.require(Feature.CRM)
        method = (request.method or "").lower()
        endpoint = self.endpoints.get("get" if method == "head" else method)
        if endpoint is None:
            return
        try:
            permit(endpoint.operation, caller)
            _demand_view(endpoint, caller)
        except Forbidden as error:
            if endpoint.operation.kind is not Kind.READ:
                record_refusal(call_of(request, with_key=False), error)
            raise

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        # Balances and bills of customers stay in no cache on the way.
        response.headers.setdefault("Cache-Control", "no-store")
        return response


class PdfRenderer(BaseRenderer):
    """Says that an address has a PDF; problems are still told in JSON."""

    media_type = PDF
    format = "pdf"
    charset = None
    render_style = "binary"

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        return JSONRenderer().render(data)


def url_patterns(endpoints: Iterable[Endpoint]) -> Iterator[URLPattern]:
    """The addresses of the endpoints. Those of one address stand together."""
    for address, found in groupby(endpoints, key=lambda endpoint: endpoint.path):
        methods = {endpoint.method: endpoint for endpoint in found}
        members: dict[str, Any] = {
            "endpoints": methods,
            **{method: _handler(endpoint) for method, endpoint in methods.items()},
        }
        if any(endpoint.answer is PDF for endpoint in methods.values()):
            members["renderer_classes"] = [PdfRenderer, JSONRenderer]
        view: type[ApiView] = type("ApiView", (ApiView,), members)
        yield path(address, view.as_view())


def _handler(endpoint: Endpoint) -> Callable[..., HttpResponseBase]:
    def handle(self: ApiView, request: Request, **places: Any) -> HttpResponseBase:
        call = call_of(request, with_key=endpoint.takes_key)
        values = {
            **places,
            **(_read(endpoint.query, request.query_params) if endpoint.query else {}),
            **(_read(endpoint.body, request.data) if endpoint.body else {}),
        }
        if endpoint.pages is not None:
            return _page(endpoint, request, call, values)
        if endpoint.operation.kind is Kind.READ:
            return _shown(endpoint, read(endpoint.operation, call, endpoint.asked(values)), values)
        return _changed(endpoint, call, values)

    handled: Callable[..., HttpResponseBase] = schema_of(endpoint)(handle)
    return handled


def _demand_view(endpoint: Endpoint, caller: Caller) -> None:
    """Customers have addresses of their own, on which they need not name themselves."""
    where = endpoint.operation.permission
    if endpoint.is_own and not caller.only_own:
        raise Forbidden("this is for customers with their own token", where=where)
    if caller.only_own and not endpoint.is_own and endpoint.operation.audience is not Audience.EVERYBODY:
        raise Forbidden("a customer's own token is for /api/v1/me alone", where=where)


def _read(shape: type[Shape], data: Any) -> Values:
    reader = shape(data=data)
    reader.is_valid(raise_exception=True)
    return dict(reader.validated_data)


def _shown(endpoint: Endpoint, found: Any, values: Values) -> HttpResponseBase:
    if endpoint.show is not None:
        found = endpoint.show(found, values)
    if isinstance(found, BillFile):
        return _pdf(found)
    return Response(endpoint.answer(found, many=endpoint.is_list).data, status=endpoint.status)


def _page(endpoint: Endpoint, request: Request, call: Call, values: Values) -> Response:
    pages, show = endpoint.pages, endpoint.show
    assert pages is not None
    limit, cursor = values.pop("limit"), values.pop("cursor")
    name = " ".join([request.path, *(str(values.get(part, "")) for part in pages.by)])

    def fetch(position: Any, count: int) -> Any:
        asked = endpoint.asked({**values, **pages.after(position), "limit": count})
        found = read(endpoint.operation, call, asked)
        return found if show is None else show(found, values)

    return page_of(
        request,
        name,
        limit,
        cursor,
        fetch=fetch,
        position=pages.position,
        first=pages.first,
        shown=lambda items: endpoint.answer(items, many=True).data,
    )


def _changed(endpoint: Endpoint, call: Call, values: Values) -> HttpResponse:
    def write(found: Any) -> Answer:
        shown = found if endpoint.show is None else endpoint.show(found, values)
        return Answer(endpoint.status, JSONRenderer().render(endpoint.answer(shown).data))

    answer, repeated = change(endpoint.operation, call, lambda: endpoint.asked(values), write)
    response = HttpResponse(answer.body, status=answer.status, content_type="application/json")
    if repeated:
        response.headers[REPLAYED] = "true"
    return response


def _pdf(found: BillFile) -> HttpResponseBase:
    """A bill's PDF as it is on disk."""
    try:
        file = found.path.open("rb")
    except FileNotFoundError:
        raise Conflict(
            "the bill's document is no longer on disk; have it issued again", code="document_missing"
        ) from None
    response = FileResponse(file, content_type=PDF, filename=found.file_name)
    response.headers["ETag"] = f'"{found.sha256}"'
    return response
