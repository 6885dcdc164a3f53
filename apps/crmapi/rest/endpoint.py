"""Endpoints: a method of an address as the projection of an operation, and its part of the OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, get_origin

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    inline_serializer,
)
from rest_framework import serializers

from apps.crm.domain.operations import Kind, Operation
from apps.crmapi.rest.call import HEADER, KEY_HEADER_SHAPE
from apps.crmapi.rest.fields import Shape
from apps.crmapi.rest.problems import MEDIA_TYPE

PDF = "application/pdf"
Values = dict[str, Any]
Position = tuple[Any, ...]

# Parameters of paths.
PLACES = {
    "subscriber_id": "The subscriber's id.",
    "account_id": "The account's id.",
    "balance_id": "The balance's id.",
    "bill_id": "The bill's id.",
    "activity_id": "The activity's id.",
    "batch_id": "The batch's id.",
    "serial": "The voucher's serial number.",
    "price_plan_id": "The plan's id.",
    "bundle_id": "The bundle's id.",
    "record_id": "The suspended record's id.",
    "notification_id": "The notification's id.",
    "trigger_id": "The trigger's id.",
    "group": "The shared group's code.",
    "kind": "`monetary`, `voice`, `data`, `sms` or `generic`.",
}


@dataclass(frozen=True, slots=True)
class Pages:
    """How a list goes on: the position of an item, the position before all, and what the operation is asked after one.

    ``by`` names parameters that make it another list: a cursor of one is not taken for the other.
    """

    position: Callable[[Any], Position]
    first: Position
    after: Callable[[Position], Values]
    by: tuple[str, ...] = ()


ASCENDING = Pages(lambda item: (item.id,), (0,), lambda at: {"after_id": at[0]})
NEWEST_FIRST = Pages(lambda item: (item.id,), (0,), lambda at: {"before_id": at[0]})


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A method of an address: ``at`` is "GET subscribers/<int:subscriber_id>" and the like.

    Its ``id`` in the document is the operation's name, if nothing else is given.

    The values sent (path, query and body together) become the operation's input by name, or by ``read``. Its output is
    shown by the shape ``answer``, after ``show`` if there is one (``many``: as a list).
    """

    at: str
    operation: Operation[Any, Any]
    summary: str
    text: str
    tag: str
    answer: Any
    id: str = ""
    status: int = 200
    query: type[Shape] | None = None
    body: type[Shape] | None = None
    read: Callable[[Values], Any] | None = None
    show: Callable[[Any, Values], Any] | None = None
    many: bool = False
    pages: Pages | None = None
    problems: Sequence[int] = ()
    request_example: Any = None
    answer_example: Any = None

    @property
    def method(self) -> str:
        """As Django names the method that handles it."""
        return self.at.partition(" ")[0].lower()

    @property
    def path(self) -> str:
        return self.at.partition(" ")[2]

    @property
    def is_own(self) -> bool:
        """Whether it is a part of a customer's own view."""
        return self.path.split("/")[0] == "me"

    @property
    def takes_key(self) -> bool:
        """Whether an idempotency key may be sent: repeating the other methods does no harm."""
        return self.method == "post" and self.operation.kind is not Kind.READ

    @property
    def is_list(self) -> bool:
        """Whether the answer is a list of the shape."""
        return self.many or get_origin(self.operation.output) in (list, Iterator)

    def asked(self, values: Values) -> Any:
        """What the operation takes."""
        return self.read(values) if self.read is not None else self.operation.input(**values)


class FieldProblem(Shape):
    """The fault of one field; an empty ``field`` means the whole request."""

    field = serializers.CharField(help_text="Path of the field, such as `customer.name`.")
    code = serializers.CharField()
    detail = serializers.CharField()


class ProblemShape(Shape):
    """Problem details (RFC 9457). ``code`` is stable and meant for programs, ``detail`` for people."""

    type = serializers.CharField(help_text="`urn:bss:problem:` and the code.")
    title = serializers.CharField(help_text="The status in words.")
    status = serializers.IntegerField()
    code = serializers.CharField()
    detail = serializers.CharField()
    errors = FieldProblem(many=True, required=False)  # type: ignore[assignment]
    incident = serializers.CharField(required=False, help_text="Under which an error of ours is in the log.")


_PROBLEMS = {
    400: "The request cannot be read, or fields or parameters have errors: see `errors`.",
    401: "No token, or one that does not count.",
    403: "The token's roles may not do this.",
    404: "There is no such thing, or not for this tenant.",
    406: "The answer is not there in the media type asked for.",
    409: "The state of things forbids it; `code` says what.",
    413: "The body is too large.",
    415: "The body must be application/json.",
    422: "It can be read, but a rule is broken: see `errors`. Also: an `Idempotency-Key` used for something else.",
    429: "Too many requests; wait as long as `Retry-After` says.",
    503: "A database or a queue does not answer; try again.",
}


def schema_of(endpoint: Endpoint) -> Callable[[Any], Any]:
    """The decorator that puts an endpoint into the OpenAPI document."""
    places = [place for place in PLACES if f":{place}>" in endpoint.path]
    known = {400, 401, 403, 406, 429, 503, *endpoint.problems}
    known |= {404} if places or endpoint.is_own else set()
    # Every list and most reads have rules on their parameters that the shape alone does not tell.
    known |= {422} if endpoint.query or endpoint.body else set()
    known |= {413, 415} if endpoint.body else set()
    known |= {409, 422} if endpoint.takes_key else set()
    media = PDF if endpoint.answer is PDF else "application/json"
    return extend_schema(
        operation_id=endpoint.id or endpoint.operation.name.replace(".", "_"),
        summary=endpoint.summary,
        description=endpoint.text,
        tags=[endpoint.tag],
        parameters=_parameters(endpoint, places),
        request=endpoint.body,
        responses={
            (endpoint.status, media): _answer_shape(endpoint),
            **{(code, MEDIA_TYPE): OpenApiResponse(ProblemShape, _PROBLEMS[code]) for code in sorted(known)},
        },
        examples=_examples(endpoint),
    )


def _parameters(endpoint: Endpoint, places: list[str]) -> list[Any]:
    parameters: list[Any] = [endpoint.query] if endpoint.query else []
    for place in places:
        kind = OpenApiTypes.STR if f"<str:{place}>" in endpoint.path else OpenApiTypes.INT64
        parameters.append(OpenApiParameter(place, kind, OpenApiParameter.PATH, description=PLACES[place]))
    if endpoint.takes_key:
        parameters.append(
            OpenApiParameter(
                HEADER,
                KEY_HEADER_SHAPE,
                OpenApiParameter.HEADER,
                required=endpoint.operation.needs_key,
                description="A text that names this request, such as a UUID. The same request under the same key is "
                "carried out once; a repeat gets the first answer.",
            )
        )
    return parameters


def _answer_shape(endpoint: Endpoint) -> Any:
    if endpoint.answer is PDF:
        return OpenApiTypes.BINARY
    if endpoint.pages is not None:
        return _page_shape(endpoint.answer)
    return endpoint.answer(many=True) if endpoint.is_list else endpoint.answer


@cache
def _page_shape(item: Any) -> Any:
    """The shape of a page of items."""
    return inline_serializer(
        f"{item.Meta.ref_name}Page",
        {
            "items": item(many=True),
            "next_cursor": serializers.CharField(
                allow_null=True, help_text="Give it as `cursor` to get the next page; null on the last one."
            ),
            "next": serializers.CharField(allow_null=True, help_text="Address of the next page."),
        },
    )


def _examples(endpoint: Endpoint) -> list[OpenApiExample]:
    found = []
    if endpoint.request_example is not None:
        found.append(OpenApiExample("Request", value=endpoint.request_example, request_only=True))
    if endpoint.answer_example is not None:
        found.append(
            OpenApiExample(
                "Answer",
                value=endpoint.answer_example,
                response_only=True,
                status_codes=[str(endpoint.status)],
            )
        )
    return found
