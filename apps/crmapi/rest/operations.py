"""Operations of the REST door: what each needs and gives, for :class:`Door` and for the OpenAPI document alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import TYPE_CHECKING, Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    inline_serializer,
)
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.crm.domain.access import Caller
from apps.crmapi.rest.changes import HEADER, KEY_HEADER_SHAPE
from apps.crmapi.rest.problems import MEDIA_TYPE

if TYPE_CHECKING:
    from apps.crmapi.rest.door import Door

STAFF, OWN, EVERYBODY = "staff", "own", "everybody"
PDF = "application/pdf"


@dataclass(frozen=True, slots=True)
class Call:
    """One call, read and checked: who asks, when, and what."""

    request: Request
    caller: Caller
    now: datetime
    query: dict[str, Any]
    body: dict[str, Any]
    key: str
    """The ``Idempotency-Key``; empty where none was sent."""

    @property
    def tenant(self) -> str:
        return self.caller.tenant

    @property
    def own_id(self) -> int:
        """The subscriber whose own token this is; there is one in operations for customers."""
        assert self.caller.subscriber_id is not None
        return self.caller.subscriber_id


@dataclass(frozen=True, slots=True)
class Operation:
    """What a method needs: a permission, an audience, the shapes of its query and body."""

    name: str
    permission: str
    audience: str
    query: type[serializers.Serializer] | None
    body: type[serializers.Serializer] | None
    answer: Any
    status: int
    key: str
    target: str
    kept: Callable[[Any], Any] | None


class FieldProblem(serializers.Serializer):
    """What is wrong with one field; an empty ``field`` is the whole."""

    field = serializers.CharField(help_text="Path of the field, such as `customer.name`.")
    code = serializers.CharField()
    detail = serializers.CharField()


class ProblemShape(serializers.Serializer):
    """Problem details (RFC 9457). ``code`` is stable and meant for programs, ``detail`` for people."""

    type = serializers.CharField(help_text="`urn:bss:problem:` and the code.")
    title = serializers.CharField(help_text="The status in words.")
    status = serializers.IntegerField()
    code = serializers.CharField()
    detail = serializers.CharField()
    errors = FieldProblem(many=True, required=False)
    incident = serializers.CharField(required=False, help_text="Under which an error of ours is in the log.")

    class Meta:
        ref_name = "Problem"


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


def operation(
    name: str,
    summary: str,
    *,
    permission: str,
    tag: str,
    answer: Any,
    status: int = 200,
    audience: str = STAFF,
    query: type[serializers.Serializer] | None = None,
    body: type[serializers.Serializer] | None = None,
    key: str = "",
    target: str = "",
    kept: Callable[[Any], Any] | None = None,
    problems: Sequence[int] = (),
    request_example: Any = None,
    answer_example: Any = None,
    path: dict[str, str] | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Mark a method of a :class:`Door`; its docstring is the description.

    ``target`` names the kind of thing that a change is about, and makes it one: recorded, and done once for its key.
    ``key`` says whether an ``Idempotency-Key`` is ``optional`` or ``required``; ``kept`` makes what is kept of an
    answer that is shown once; ``path`` explains what is in the address.
    """
    described = Operation(name, permission, audience, query, body, answer, status, key, target, kept)
    known = {400, 401, 403, 406, 429, 503, *problems}
    known |= {404} if path else set()
    # Every list and most reads have rules on their parameters that the shape alone does not tell.
    known |= {422} if query or body else set()
    known |= {413, 415} if body else set()
    known |= {409, 422} if key else set()
    parameters: list[Any] = [query] if query else []
    for place, text in (path or {}).items():
        kind = OpenApiTypes.STR if place in ("msisdn", "serial") else OpenApiTypes.INT64
        parameters.append(OpenApiParameter(place, kind, OpenApiParameter.PATH, description=text))
    if key:
        parameters.append(
            OpenApiParameter(
                HEADER,
                KEY_HEADER_SHAPE,
                OpenApiParameter.HEADER,
                required=key == "required",
                description="A text that names this request, such as a UUID. The same request under the same key is "
                "carried out once; whoever repeats it gets the first answer again.",
            )
        )
    media = (status, PDF) if answer is PDF else (status, "application/json")
    examples = []
    if request_example is not None:
        examples.append(OpenApiExample("Request", value=request_example, request_only=True))
    if answer_example is not None:
        examples.append(
            OpenApiExample("Answer", value=answer_example, response_only=True, status_codes=[str(status)])
        )

    def decorate(method: Callable[..., Any]) -> Callable[..., Any]:
        schema = extend_schema(
            operation_id=name,
            summary=summary,
            description=(method.__doc__ or "").strip(),
            tags=[tag],
            parameters=parameters,
            request=body,
            responses={
                media: OpenApiTypes.BINARY if answer is PDF else answer,
                **{
                    (code, MEDIA_TYPE): OpenApiResponse(ProblemShape, _PROBLEMS[code])
                    for code in sorted(known)
                },
            },
            examples=examples,
        )

        @wraps(method)
        def handle(self: Door, request: Request, **place: Any) -> Response:
            return self.answer(described, method, request, place)

        handle.operation = described  # type: ignore[attr-defined]
        return schema(handle)

    return decorate


def page_shape(name: str, item: type[serializers.Serializer]) -> Any:
    """The shape of a page of items."""
    return inline_serializer(
        name,
        {
            "items": item(many=True),
            "next_cursor": serializers.CharField(
                allow_null=True, help_text="Give it as `cursor` to get the next page; null on the last one."
            ),
            "next": serializers.CharField(allow_null=True, help_text="Address of the next page."),
        },
    )
