"""Accepting connections, with few places for those that have not introduced themselves."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from functools import partial

import structlog

from apps.diameter.worker.configuration import TlsFiles
from apps.diameter.worker.transport import DiameterTransport

log = structlog.get_logger(__name__)

BACKLOG = 512
ACCEPT_PAUSE_S = 0.1
"""After a failed accept, such as for lack of file descriptors."""


class UnintroducedConnections:
    """Connections between accept and admission: in their TLS handshake, silent, or looked up just now.

    They cost a place of few, so that strangers who connect and say nothing take none from peers. Where all are taken,
    a new one gets that of the oldest from the address that holds most: a peer introduces itself within a round trip,
    and a flood from one address makes room at its own cost.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waiting: dict[object, tuple[str, Callable[[], None]]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, connection: object, address: str, cut: Callable[[], None]) -> None:
        """Give ``connection`` a place until :meth:`discard`; ``cut`` ends it to make room."""
        if len(self._waiting) >= self._limit:
            self.make_room()
        self._waiting[connection] = network_of(address), cut

    def discard(self, connection: object) -> None:
        """It was admitted, or is gone."""
        self._waiting.pop(connection, None)

    def make_room(self) -> None:
        """End one connection, if there is any."""
        if not self._waiting:
            return
        networks = Counter(network for network, _ in self._waiting.values())
        busiest, count = networks.most_common(1)[0]
        oldest = next(key for key, (network, _) in self._waiting.items() if network == busiest)
        _, cut = self._waiting.pop(oldest)
        log.warning("diameter.unintroduced_connection_cut", network=busiest, connections=count)
        cut()


def network_of(address: str) -> str:
    """The address, or for IPv6 its /64, which one host owns as a rule."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    return str(ip) if ip.version == 4 else str(ipaddress.ip_network((ip, 64), strict=False))


def listening_socket(bind: str, port: int, reuse_port: bool) -> socket.socket:
    """A non-blocking socket that listens. An empty ``bind`` is every address, IPv6 too if there is any."""
    if not bind and socket.has_dualstack_ipv6():
        opened = socket.create_server(
            ("", port), family=socket.AF_INET6, backlog=BACKLOG, reuse_port=reuse_port, dualstack_ipv6=True
        )
    else:
        family = socket.AF_INET6 if ":" in bind else socket.AF_INET
        opened = socket.create_server((bind, port), family=family, backlog=BACKLOG, reuse_port=reuse_port)
    opened.setblocking(False)
    return opened


def server_tls_context(files: TlsFiles) -> ssl.SSLContext:
    """TLS 1.2 or newer; with a CA, a peer needs a certificate that it signed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(files.certificate, files.key)
    if files.ca:
        context.load_verify_locations(files.ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


class Listener:
    """One listening socket.

    It accepts by hand: ``create_server`` does not report connections whose TLS handshake is not over, so neither
    their number nor their time could be limited.
    """

    def __init__(
        self,
        listening: socket.socket,
        tls: ssl.SSLContext | None,
        handshake_timeout_s: float,
        unintroduced: UnintroducedConnections,
        make_transport: Callable[[], DiameterTransport],
    ) -> None:
        self._socket = listening
        self._tls = tls
        self._handshake_timeout_s = handshake_timeout_s if tls is not None else None
        self._unintroduced = unintroduced
        self._make_transport = make_transport
        self._handshakes: set[asyncio.Task[None]] = set()
        self._accepting = asyncio.get_running_loop().create_task(self._accept_all())

    @property
    def port(self) -> int:
        number: int = self._socket.getsockname()[1]
        return number

    async def close(self) -> None:
        """Accept no more, and end handshakes."""
        ending = [self._accepting, *self._handshakes]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        self._socket.close()

    async def _accept_all(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, address = await loop.sock_accept(self._socket)
            except OSError as error:
                log.warning("diameter.accept_failed", error=str(error))
                self._unintroduced.make_room()
                await asyncio.sleep(ACCEPT_PAUSE_S)
                continue
            transport = self._make_transport()
            self._unintroduced.add(transport, str(address[0]), partial(_cut, accepted, transport))
            task = loop.create_task(self._set_up(accepted, transport))
            self._handshakes.add(task)
            task.add_done_callback(self._handshakes.discard)
            # Others get their turn, however fast strangers connect.
            await asyncio.sleep(0)

    async def _set_up(self, accepted: socket.socket, transport: DiameterTransport) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: transport,
                accepted,
                ssl=self._tls,
                ssl_handshake_timeout=self._handshake_timeout_s,
            )
        except OSError as error:
            self._unintroduced.discard(transport)
            log.info("diameter.handshake_failed", error=str(error) or type(error).__name__)


def _cut(accepted: socket.socket, transport: DiameterTransport) -> None:
    # The event loop owns the socket: shut down, not closed, so that a handshake ends by itself.
    with contextlib.suppress(OSError):
        accepted.shutdown(socket.SHUT_RDWR)
    transport.abort()
