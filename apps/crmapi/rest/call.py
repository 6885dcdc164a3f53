"""A request as a call of an operation: who asks, when, and under which idempotency key."""

from __future__ import annotations

import json
from typing import Any

from rest_framework.request import Request

from apps.crm.domain.operations import Call
from apps.crm.services.idempotency import MOST_KEY_LENGTH, check_key
from apps.crmapi.rest.throttling import remote_address
from apps.kernel.clock import utc_now

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
KEY_HEADER_SHAPE = {"type": "string", "minLength": 1, "maxLength": MOST_KEY_LENGTH, "pattern": "^[!-~]+$"}
DOOR = "rest"


def call_of(request: Request, *, with_key: bool) -> Call:
    """The call that a request makes; raises InvalidInput for a malformed key. ``with_key``: whether one may be sent."""
    given = request.headers.get(HEADER) if with_key else None
    key = "" if given is None else check_key(given.strip())
    match = request.resolver_match
    route = match.route.removeprefix("api/v1") if match else request.path
    # The same values in another order, or with other blanks, are the same request.
    body = json.dumps(request.data, sort_keys=True, separators=(",", ":")) if key else ""
    caller: Any = request.auth
    return Call(
        caller=caller,
        now=utc_now(),
        door=DOOR,
        operation=f"{request.method} {route}",
        key=key,
        request=f"{request.get_full_path()}\0{body}".encode(),
        remote=remote_address(request),
        request_id=request.headers.get("X-Request-Id", "")[:80],
    )
