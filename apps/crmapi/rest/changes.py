"""Operations that change something: carried out once for a key, and recorded with who did it, in one transaction."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from django.http import HttpResponse
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from apps.crm.domain.access import Caller
from apps.crm.domain.errors import Forbidden
from apps.crm.services.calls import Call as AuditedCall
from apps.crm.services.calls import Done, perform, record_done, record_refusal
from apps.crm.services.idempotency import MOST_KEY_LENGTH, Answer, check_key
from apps.crmapi.rest.throttling import remote_address
from apps.kernel.clock import utc_now
from apps.kernel.errors import BssError, InvalidInput

if TYPE_CHECKING:
    from apps.crmapi.rest.operations import Call

Done_ = TypeVar("Done_")
HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
KEY_HEADER_SHAPE = {"type": "string", "minLength": 1, "maxLength": MOST_KEY_LENGTH, "pattern": "^[!-~]+$"}
DOOR = "rest"
READS = frozenset({"GET", "HEAD"})


def read_key(request: Request, need: str) -> str:
    """The request's key; raises InvalidInput for a malformed one, or for none where it is ``required``."""
    key = request.headers.get(HEADER)
    if key is not None:
        return check_key(key.strip())
    if need == "required":
        raise InvalidInput(
            f"this moves money: name the request by the header {HEADER}, such as a UUID, so that a repeat is not "
            "carried out a second time",
            code="idempotency_key_missing",
            where=HEADER,
        )
    return ""


def carry_out(
    call: Call,
    target: str,
    place: dict[str, Any],
    change: Callable[[], Response],
    kept: Callable[[Any], Any] | None,
) -> HttpResponse:
    """The answer of ``change``, or the one that the same request had before under its key.

    ``target`` is the kind of thing it is about; ``kept`` makes what is kept of an answer that must not be kept itself.
    """

    def do() -> Done:
        response = change()
        answer = Answer(response.status_code, JSONRenderer().render(response.data))
        about = next(iter(place.values()), None) or _id_of(response.data)
        return Done(answer, f"{target} {about}" if about else target)

    keep = None if kept is None else lambda answer: _rewritten(answer, kept)
    answer, repeated = perform(_audited(call.request, call.caller, call.now, call.key), do, keep)
    response = HttpResponse(answer.body, status=answer.status, content_type="application/json")
    if repeated:
        response.headers[REPLAYED] = "true"
    return response


def recorded(call: Call, do: Callable[[], Done_], about: Callable[[Done_], str]) -> Done_:
    """Carry out what sees to its repeats and transactions itself, and record what came of it."""
    audited = _audited(call.request, call.caller, call.now, "")
    try:
        done = do()
    except BssError as error:
        record_refusal(audited, error)
        raise
    record_done(audited, about(done))
    return done


def record_forbidden(request: Request, caller: Caller, error: Forbidden) -> None:
    """Somebody tried what their token does not allow; a change that was refused is recorded."""
    if request.method not in READS:
        record_refusal(_audited(request, caller, utc_now(), ""), error)


def _audited(request: Request, caller: Caller, now: Any, key: str) -> AuditedCall:
    match = request.resolver_match
    route = match.route.removeprefix("api/v1") if match else request.path
    # The same values in another order, or with other blanks, are the same request.
    body = json.dumps(request.data, sort_keys=True, separators=(",", ":")) if key else ""
    return AuditedCall(
        caller=caller,
        door=DOOR,
        operation=f"{request.method} {route}",
        now=now,
        key=key,
        request=f"{request.get_full_path()}\0{body}".encode(),
        remote=remote_address(request),
        request_id=request.headers.get("X-Request-Id", "")[:80],
    )


def _rewritten(answer: Answer, kept: Callable[[Any], Any]) -> Answer:
    return Answer(answer.status, JSONRenderer().render(kept(json.loads(answer.body))))


def _id_of(data: Any) -> Any:
    return data.get("id") if isinstance(data, dict) else None
