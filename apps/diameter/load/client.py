"""A gateway: one connection to a Diameter server, opened by this side."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Any

from apps.diameter.protocol.codes import Command, DisconnectCause, ResultCode
from apps.diameter.protocol.decoding import Message
from apps.diameter.protocol.encoding import encode_avps
from apps.diameter.protocol.limits import Limits
from apps.diameter.protocol.node import LocalNode, PeerPolicy
from apps.diameter.protocol.peer_events import (
    AnswerReceived,
    ConnectionEnded,
    Event,
    PeerOpened,
    Request,
    RequestFailed,
    RequestReceived,
)
from apps.diameter.worker.transport import DiameterTransport

OnServerRequest = Callable[[Request], int]
"""Told of a RAR or ASR; returns the Result-Code to answer with."""


Answered = Callable[[Message | None, str], None]
"""Given the answer, or None and why there is none."""


class ConnectionRefused(Exception):
    """The server did not open the connection; says why."""


class NoAnswer(Exception):
    """A request was not answered: it timed out, or the connection ended."""


class GatewayClient:
    """Connects, asks, answers what the server asks, leaves."""

    def __init__(
        self,
        node: LocalNode,
        *,
        limits: Limits | None = None,
        on_server_request: OnServerRequest | None = None,
    ) -> None:
        self.node = node
        self.limits = limits or Limits()
        self.ended = ""
        self._on_server_request = on_server_request
        self._opened: asyncio.Future[None]
        self._gone: asyncio.Future[None]
        self._transport: DiameterTransport | None = None
        self._dirty = False
        self._asked: dict[int, Answered] = {}
        self._last_token = 0

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self.ended

    async def connect(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        """Open the connection and introduce this side. Raises OSError, or ConnectionRefused with the reason."""
        loop = asyncio.get_running_loop()
        self.ended = ""
        self._opened, self._gone = loop.create_future(), loop.create_future()
        served = frozenset((int(Command.RE_AUTH), int(Command.ABORT_SESSION)))
        await loop.create_connection(
            lambda: DiameterTransport(
                self,
                self.node,
                self.limits,
                secured=tls is not None,
                initiator=True,
                # It stands for all gateways that it plays, so every request of the server is for it.
                policy=PeerPolicy(True, realms=frozenset("*"), hosts=frozenset("*")),
                serves=served,
            ),
            host,
            port,
            ssl=tls,
            server_hostname=host if tls is not None else None,
        )
        await self._opened

    def ask(
        self,
        avps: dict[str, Any],
        answered: Answered,
        retransmitted: bool = False,
    ) -> None:
        """Send a CCR, with the T flag if it was sent before; ``answered`` gets the answer, or None and the reason."""
        transport = self._transport
        if transport is None or self.ended:
            answered(None, self.ended or "not connected")
            return
        self._last_token += 1
        self._asked[self._last_token] = answered
        transport.peer.send_request(
            Command.CREDIT_CONTROL, avps, transport.now(), self._last_token, retransmitted
        )
        if not self._dirty:
            self._dirty = True
            asyncio.get_running_loop().call_soon(self._flush)

    async def request(self, avps: dict[str, Any], retransmitted: bool = False) -> Message:
        """Send a CCR, as :meth:`ask` does, and wait for its answer. Raises NoAnswer."""
        future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()

        def answered(message: Message | None, reason: str) -> None:
            if future.done():
                return
            if message is None:
                future.set_exception(NoAnswer(reason))
            else:
                future.set_result(message)

        self.ask(avps, answered, retransmitted)
        return await future

    async def leave(self, cause: DisconnectCause = DisconnectCause.DO_NOT_WANT_TO_TALK_TO_YOU) -> None:
        """Part in good order."""
        transport = self._transport
        if transport is not None and not self.ended:
            transport.handle(transport.peer.stop(cause, transport.now()))
            transport.reschedule()
            await self._gone

    def drop(self) -> None:
        """Cut the connection as a gateway that loses its power does."""
        if self._transport is not None:
            self._transport.abort()

    # --- of the transport -------------------------------------------------------------------------------------------

    def connected(self, transport: DiameterTransport) -> None:
        self._transport = transport

    def disconnected(self, transport: DiameterTransport) -> None:
        self.ended = self.ended or "the connection is closed"
        if not self._opened.done():
            self._opened.set_exception(ConnectionRefused(self.ended))
        if not self._gone.done():
            self._gone.set_result(None)

    def happened(self, transport: DiameterTransport, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, AnswerReceived):
                self._asked.pop(event.token)(event.message, "")
            elif isinstance(event, RequestFailed):
                self._asked.pop(event.token)(None, event.reason)
            elif isinstance(event, RequestReceived):
                self._answer(transport, event.request)
            elif isinstance(event, PeerOpened):
                self._opened.set_result(None)
            elif isinstance(event, ConnectionEnded):
                self.ended = event.reason
                transport.close()

    def _answer(self, transport: DiameterTransport, request: Request) -> None:
        code = self._on_server_request(request) if self._on_server_request else int(ResultCode.SUCCESS)
        avps = {
            "Session-Id": request.avps["Session-Id"],
            "Result-Code": code,
            "Origin-Host": self.node.origin_host,
            "Origin-Realm": self.node.origin_realm,
        }
        self.happened(transport, transport.peer.answer(request, encode_avps(avps), transport.now()))

    def _flush(self) -> None:
        self._dirty = False
        if self._transport is not None:
            # What could not be sent is among the events by now.
            self._transport.handle(self._transport.peer.tick(self._transport.now()))
