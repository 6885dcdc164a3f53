"""From a call's octets and metadata to who calls and what they ask: everything that needs no database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import structlog
from google.protobuf.message import DecodeError

from apps.crm.domain.errors import Forbidden, Unauthenticated
from apps.crm.domain.operations import Call, permit
from apps.crm.services.authentication import Authenticator, bearer_token
from apps.crm.services.calls import record_refusal
from apps.crm.services.idempotency import check_key
from apps.crm.services.rate_limits import RateLimiter
from apps.crmapi.grpc.servicers.rpc import Rpc
from apps.kernel.errors import InvalidInput

log = structlog.get_logger(__name__)

DOOR = "grpc"
MOST_REFUSALS_LOGGED_A_SECOND = 20
Metadata = Sequence[tuple[str, str | bytes]]


class Admitted(NamedTuple):
    """A call that may be done: the RPC, who calls, and the message."""

    rpc: Rpc
    call: Call
    request: Any


class Admission:
    """Lets calls in, or says why not. Shared by all threads of a process."""

    def __init__(self, authenticator: Authenticator, limiter: RateLimiter) -> None:
        self.authenticator = authenticator
        self.limiter = limiter
        self._logged = (0.0, 0)

    def admit(
        self, rpc: Rpc, raw: bytes, metadata: Metadata, remote: str, now: datetime, now_s: float
    ) -> Admitted:
        """The call, checked: token, role, rate, key, message. Raises the BssError that it is refused with.

        Refreshes keys and revocations from the database if they are too old
        (:meth:`Authenticator.is_fresh`), and writes nothing.
        """
        said = read_metadata(metadata)
        try:
            caller = self.authenticator.caller(bearer_token(said.authorization), now)
        except Unauthenticated as error:
            self._log_refusal(rpc, remote, error, now_s)
            raise
        # Before the role: asking for what one may not costs, too.
        self.limiter.admit(caller, now_s)
        key = check_key(said.key) if said.key else ""
        call = Call(caller, now, DOOR, rpc.name, key, raw, remote, said.request_id)
        try:
            permit(rpc.operation, caller)
        except Forbidden as error:
            raise NotAllowed(error, call) from None
        try:
            request = rpc.request.FromString(raw)
        except DecodeError:
            raise InvalidInput(
                f"this is not a {rpc.request.DESCRIPTOR.full_name} message", code="malformed_message"
            ) from None
        return Admitted(rpc, call, request)

    def _log_refusal(self, rpc: Rpc, remote: str, error: Unauthenticated, now_s: float) -> None:
        """Calls without a token can come from any host: a flood of them must not flood the log."""
        since, count = self._logged
        if now_s - since >= 1.0:
            since, count = now_s, 0
        self._logged = (since, count + 1)
        if count < MOST_REFUSALS_LOGGED_A_SECOND:
            log.warning("call_not_authenticated", rpc=rpc.name, remote=remote, reason=error.code)


class NotAllowed(Forbidden):
    """A known caller asked for what its roles do not allow; it is recorded."""

    def __init__(self, error: Forbidden, call: Call) -> None:
        super().__init__(error.message, where=error.where)
        self.call = call

    def record(self) -> None:
        """Write it into the audit record (needs the database)."""
        record_refusal(self.call, self)


class Said(NamedTuple):
    """The metadata that matters."""

    authorization: str
    key: str
    request_id: str


def read_metadata(metadata: Metadata) -> Said:
    authorization = key = request_id = ""
    for name, value in metadata:
        if isinstance(value, bytes):
            continue
        if name == "authorization":
            authorization = value
        elif name == "idempotency-key":
            key = value
        elif name == "x-request-id":
            request_id = value[:80]
    return Said(authorization, key, request_id)
