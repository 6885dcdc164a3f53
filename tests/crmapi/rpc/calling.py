"""Calls of the gRPC door without a network: the same admission, dispatch and refusals that the server uses."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import grpc
from django.db import transaction
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2

from apps.crm.services.authentication import Authenticator
from apps.crm.services.clients import platform_token
from apps.crm.services.rate_limits import RateLimiter
from apps.crmapi.grpc.pb import crm_pb2
from apps.crmapi.grpc.server.admission import Admission, NotAllowed
from apps.crmapi.grpc.server.dispatch import answer, messages, next_portion
from apps.crmapi.grpc.server.errors import refusal
from apps.crmapi.grpc.servicers.rpc import Rpc
from apps.crmapi.grpc.servicers.table import RPCS
from apps.kernel.clock import utc_now
from apps.kernel.errors import BssError

RPC_OF: dict[str, Rpc] = {rpc.name: rpc for rpc in RPCS}
METHODS = crm_pb2.DESCRIPTOR.services_by_name["CRMService"].methods_by_name
ANSWERS: dict[str, type[Message]] = {
    name: GetMessageClass(method.output_type) for name, method in METHODS.items()
}


class Refused(Exception):
    """What a client sees of a refusal."""

    def __init__(self, error: BssError) -> None:
        refused = refusal(error)
        super().__init__(f"{refused.code.name}: {refused.message}")
        self.code: grpc.StatusCode = refused.code
        status = status_pb2.Status.FromString(refused.details)
        assert status.code == refused.code.value[0]
        self.reason, self.fields, self.retry_s = "", [], None
        for detail in status.details:
            for kind in (
                error_details_pb2.ErrorInfo,
                error_details_pb2.BadRequest,
                error_details_pb2.RetryInfo,
            ):
                if detail.Is(kind.DESCRIPTOR):
                    self._read(detail, kind())

    def _read(self, detail: Any, message: Any) -> None:
        detail.Unpack(message)
        if isinstance(message, error_details_pb2.ErrorInfo):
            assert message.domain == "bss"
            self.reason = message.reason
        elif isinstance(message, error_details_pb2.BadRequest):
            self.fields = [violation.field for violation in message.field_violations]
        else:
            self.retry_s = message.retry_delay.ToMilliseconds() / 1000


@dataclass
class RpcClient:
    """The caller: with a token of these roles, for this tenant."""

    roles: tuple[str, ...] = ("admin",)
    tenant: str = "default"
    subscriber_id: int | None = None
    subject: str = "ada"
    token: str | None = None
    admission: Admission = field(default_factory=lambda: Admission(Authenticator(), RateLimiter()))

    def metadata(self, key: str = "", request_id: str = "") -> list[tuple[str, str]]:
        if self.token is None:
            self.token = platform_token(
                subject=self.subject,
                tenant=self.tenant,
                roles=list(self.roles),
                lifetime_s=3600,
                now=utc_now(),
                subscriber_id=self.subscriber_id,
            )
        sent = [("authorization", f"Bearer {self.token}")] if self.token else []
        if key:
            sent.append(("idempotency-key", key))
        if request_id:
            sent.append(("x-request-id", request_id))
        return sent

    def ask(
        self, name: str, request: Message | bytes | None = None, key: str = "", request_id: str = ""
    ) -> Any:
        """The answer (a list of them for a streamed call); raises Refused."""
        rpc = RPC_OF[name]
        raw = request if isinstance(request, bytes) else (request or rpc.request()).SerializeToString()
        try:
            try:
                admitted = self.admission.admit(
                    rpc, raw, self.metadata(key, request_id), "ipv4:127.0.0.1:9", utc_now(), time.monotonic()
                )
            except NotAllowed as error:
                error.record()
                raise
            if not rpc.streams:
                return ANSWERS[name].FromString(answer(admitted))
            found, answers = messages(admitted), []
            while portion := next_portion(admitted, found, 2):
                answers += [ANSWERS[name].FromString(message) for message in portion]
            return answers
        except BssError as error:
            raise Refused(error) from error

    def undone(self, name: str, request: Message | bytes | None = None, key: str = "") -> Any:
        """The same, with all that it did taken back; raises Refused."""
        undoing = transaction.atomic()
        # As the test's own transaction: what insists on being outermost (redeeming) may run inside.
        undoing._from_testcase = True  # type: ignore[attr-defined]
        with undoing:
            try:
                return self.ask(name, request, key)
            finally:
                transaction.set_rollback(True)


def rpc_client(world: Any, *roles: str, **who: Any) -> RpcClient:
    """A caller with these roles; a customer's own view is of the world's prepaid subscriber."""
    if "self_care" in roles and "subscriber_id" not in who:
        who["subscriber_id"] = world.names["prepaid"]
    return RpcClient(roles=roles or ("admin",), **who)
