"""One socket: octets between the network and the protocol, with back-pressure both ways."""

from __future__ import annotations

import asyncio
import random
import secrets
from typing import Any, Protocol, cast

from apps.diameter.credit_control.requests import ConnectedPeer
from apps.diameter.protocol.limits import Limits
from apps.diameter.protocol.node import LocalNode
from apps.diameter.protocol.peer import PeerConnection
from apps.diameter.protocol.peer_events import Event

WRITE_HIGH_WATER_OCTETS = 4 * 1024 * 1024
"""Above this a peer that does not read its answers is not read either."""
CLOSE_TIMEOUT_S = 2.0
"""For the last octets to leave before the socket is cut."""


class Owner(Protocol):
    """Who makes something of a connection's events."""

    def connected(self, transport: DiameterTransport) -> None: ...

    def happened(self, transport: DiameterTransport, events: list[Event]) -> None: ...

    def disconnected(self, transport: DiameterTransport) -> None: ...


def watchdog_jitter() -> float:
    """RFC 3539: −2 to +2 seconds."""
    return random.uniform(-2.0, 2.0)


def names_of_certificate(certificate: dict[str, Any] | None) -> frozenset[str] | None:
    """DNS names, else common names, of a certificate as ``ssl`` describes it; None without one."""
    if not certificate:
        return None
    names = {value for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS"}
    if not names:
        names = {
            value for part in certificate.get("subject", ()) for kind, value in part if kind == "commonName"
        }
    return frozenset(name.lower() for name in names)


class DiameterTransport(asyncio.Protocol):
    """The socket of one connection."""

    def __init__(
        self, owner: Owner, node: LocalNode, limits: Limits, *, secured: bool = False, **peer_options: Any
    ) -> None:
        self._owner = owner
        self._node = node
        self._limits = limits
        self._peer_options = peer_options
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None
        self._reading = True
        self._write_blocked = False
        self._handling = False
        self.secured = secured
        self.remote = ""
        self.certificate_names: frozenset[str] | None = None
        """Whom the peer's certificate is for, in small letters; None without one."""
        self.token = secrets.token_hex(8)
        self.peer: PeerConnection
        self.peer_key = ""
        """The peer's Origin-Host in small letters, once it is let in."""
        self.is_admitted = False
        """Let in: a row says that the peer's connection is this one."""
        self.is_configured = False
        self.connected = ConnectedPeer("", "")
        """The peer as credit control knows it, once it is let in."""

    # --- asyncio ----------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Duck-typed: uvloop's transports are not asyncio's.
        self._transport = stream = cast(asyncio.Transport, transport)
        stream.set_write_buffer_limits(high=WRITE_HIGH_WATER_OCTETS)
        self.certificate_names = names_of_certificate(transport.get_extra_info("peercert"))
        name = transport.get_extra_info("peername")
        self.remote = f"{name[0]}:{name[1]}" if isinstance(name, tuple) else str(name)
        self.peer = PeerConnection(
            self._node,
            now=self._loop.time(),
            jitter=watchdog_jitter,
            first_id=secrets.randbits(64),
            secured=self.secured,
            limits=self._limits,
            **self._peer_options,
        )
        self._owner.connected(self)
        self.flush()
        self._set_timer()

    def data_received(self, data: bytes) -> None:
        self.handle(self.peer.receive(data, self._loop.time()))

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, error: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        events = self.peer.lost(str(error) if error else "the peer closed the connection", self._loop.time())
        self._transport = None
        self._owner.happened(self, events)
        self._owner.disconnected(self)

    def pause_writing(self) -> None:
        self._write_blocked = True
        self._read_or_not()

    def resume_writing(self) -> None:
        self._write_blocked = False
        self._read_or_not()

    # --- the owner --------------------------------------------------------------------------------------------------

    def now(self) -> float:
        return self._loop.time()

    def handle(self, events: list[Event]) -> None:
        """Pass on what happened, then send what it gave rise to, in one write."""
        if events:
            self._owner.happened(self, events)
        self.flush()
        if not self.peer.reads_on() or not self._reading:
            self._read_or_not()

    def flush(self) -> None:
        """Send ready answers."""
        octets = self.peer.take_octets()
        if octets and self._transport is not None:
            self._transport.write(octets)

    def close(self) -> None:
        """Close once everything is sent; a peer that does not read is cut off."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        self.flush()
        transport.close()
        self._loop.call_later(CLOSE_TIMEOUT_S, transport.abort)

    def abort(self) -> None:
        """Cut the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def reschedule(self) -> None:
        """The protocol may have a nearer deadline now."""
        self._set_timer()

    # --- inside -----------------------------------------------------------------------------------------------------

    def _read_or_not(self) -> None:
        transport = self._transport
        wanted = self.peer.reads_on() and not self._write_blocked
        if transport is None or transport.is_closing() or wanted == self._reading:
            return
        self._reading = wanted
        if wanted:
            transport.resume_reading()
        else:
            transport.pause_reading()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is not None:
            self._timer = self._loop.call_at(self.peer.next_deadline(), self._tick)

    def _tick(self) -> None:
        self._timer = None
        self.handle(self.peer.tick(self._loop.time()))
        self._set_timer()
