"""One server process: listens, lets peers in, has their requests charged, tells gateways what they are to be told."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

import structlog

from apps.charging.domain.requests import OnlineRequest
from apps.charging.services.executor import ChargingUnavailable, Reply
from apps.diameter.credit_control.answers import credit_control_answer
from apps.diameter.credit_control.ccr import CreditControlRequest, read_request
from apps.diameter.credit_control.requests import ConnectedPeer, charging_request
from apps.diameter.credit_control.service_map import ServiceMap
from apps.diameter.protocol.codes import DisconnectCause, ResultCode
from apps.diameter.protocol.faults import DiameterFault
from apps.diameter.protocol.peer_events import (
    AnswerReceived,
    AnswerUnmatched,
    CapabilitiesReceived,
    ConnectionEnded,
    Event,
    PeerOpened,
    Request,
    RequestFailed,
    RequestReceived,
    RequestRefused,
)
from apps.diameter.selectors import service_map
from apps.diameter.services import peers
from apps.diameter.services.counts import CountKey, add_counts
from apps.diameter.services.gateway_events import deliver_to_gateways
from apps.diameter.worker.admission import PeerAdmission
from apps.diameter.worker.charging_link import ChargingLink, ChargingService
from apps.diameter.worker.configuration import ServerConfiguration
from apps.diameter.worker.database_thread import DatabaseThread
from apps.diameter.worker.jobs import Jobs
from apps.diameter.worker.listening import (
    Listener,
    UnintroducedConnections,
    listening_socket,
    server_tls_context,
)
from apps.diameter.worker.orders import ForgetLines, OrderSender
from apps.diameter.worker.refusals import RefusalLog
from apps.diameter.worker.transport import DiameterTransport
from apps.kernel.clock import utc_now
from apps.runtime import metrics
from apps.runtime.children import is_running

log = structlog.get_logger(__name__)

CCR_SECONDS = metrics.histogram(
    "ccr_seconds", "From a credit-control request's arrival to its answer.", ("request", "result_code")
)
REQUEST_NAMES = {1: "CCR-I", 2: "CCR-U", 3: "CCR-T", 4: "CCR-E"}
LAST_ROWS_S = 3.0
"""For what gateways answered to orders to be written when the server stops."""


class DiameterServer:
    """The owner of all connections of this process.

    ``charging`` charges; ``supervise(now)`` ends sessions whose supervision timer has run out, and ``keep_fresh(now)``
    revalidates what charging caches; each runs in a database thread.
    """

    def __init__(
        self,
        configuration: ServerConfiguration,
        charging: ChargingService,
        supervise: Callable[[datetime], int] | None = None,
        forget_lines: ForgetLines | None = None,
        keep_fresh: Callable[[datetime], int] | None = None,
    ) -> None:
        self.configuration = configuration
        self.key = secrets.token_hex(16)
        self._here = peers.Here(self.key, socket.gethostname(), os.getpid(), is_running)
        self.ports: list[int] = []
        self._refusals = RefusalLog()
        self.counts: Counter[CountKey] = Counter()
        self._charging = charging
        self._supervise = supervise
        self._keep_fresh = keep_fresh
        self._services = ServiceMap(())
        self._rows = DatabaseThread()
        # Of its own: heartbeats and orders do not wait for thousands of lines.
        self._reading = DatabaseThread()
        self._orders = OrderSender(self.key, configuration.node, self._rows, forget_lines)
        self._transports: set[DiameterTransport] = set()
        self._unintroduced = UnintroducedConnections(configuration.max_unintroduced)
        self._admission = PeerAdmission(self._here, configuration, self._rows, self._transports)
        self._dirty: set[DiameterTransport] = set()
        self._jobs = Jobs()
        self._listeners: list[Listener] = []
        self._measures = metrics.is_on()
        self._latencies: dict[tuple[str, int], metrics.Metric] = {}
        self._stopping = False
        self._empty = asyncio.Event()
        self._empty.set()
        self._link: ChargingLink

    # --- life -------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Listen; returns once connections are accepted. Raises OSError if a port is taken."""
        configuration = self.configuration
        self._link = ChargingLink(self._charging, asyncio.get_running_loop())
        self._services = await self._rows.run(service_map)
        await self._listen()
        await self._register()
        self._jobs.every(configuration.heartbeat_s, self._beat)
        self._jobs.every(configuration.orders_s, self._send_orders)
        self._jobs.every(configuration.probes_s, self._admission.probe)
        self._jobs.every(configuration.counts_s, self._write_counts)
        self._jobs.every(configuration.events_s, self._deliver_events)
        self._jobs.every(configuration.refresh_s, self._refresh)
        if self._supervise is not None:
            self._jobs.every(configuration.supervision_s, self._look_for_expired)
        if self._keep_fresh is not None:
            self._jobs.every(configuration.freshness_s, self._read_ahead)

    async def stop(self) -> None:
        """Drain: no new connections, requests in flight are answered, peers are told, rows are written."""
        self._stopping = True
        for listener in self._listeners:
            await listener.close()
        for transport in list(self._transports):
            transport.handle(transport.peer.stop(DisconnectCause.REBOOTING, transport.now()))
            transport.reschedule()
        limits = self.configuration.limits
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(
                self._empty.wait(), limits.drain_timeout_s + limits.disconnect_timeout_s + 3.0
            )
        # Answers of gateways to orders are written down before the end.
        await self._jobs.finish(LAST_ROWS_S)
        # Without a database the process still ends: its connections are free once it is gone.
        for job, last in ((self._write_counts, "counts"), (self._forget_process, "process")):
            try:
                await job()
            except Exception as error:
                log.warning("diameter.not_written_at_the_end", what=last, error=str(error))
        self._rows.close()
        self._reading.close()

    async def _forget_process(self) -> None:
        await self._rows.run(peers.forget_process, self.key)

    async def _listen(self) -> None:
        configuration = self.configuration
        wanted: list[tuple[int, ssl.SSLContext | None]] = [(configuration.port, None)]
        if configuration.tls_port is not None and configuration.tls is not None:
            wanted.append((configuration.tls_port, server_tls_context(configuration.tls)))
        for port, context in wanted:
            listener = Listener(
                listening_socket(configuration.bind, port, configuration.reuse_port),
                context,
                configuration.limits.capabilities_timeout_s,
                self._unintroduced,
                partial(
                    DiameterTransport,
                    self,
                    configuration.node,
                    configuration.limits,
                    secured=context is not None,
                ),
            )
            self._listeners.append(listener)
            self.ports.append(listener.port)

    async def _register(self) -> None:
        configuration = self.configuration
        await self._rows.run(
            peers.register_process,
            self._here,
            configuration.node.origin_host,
            f"{configuration.bind}:{self.ports[0]}",
            utc_now(),
        )

    # --- jobs -------------------------------------------------------------------------------------------------------

    async def _beat(self) -> None:
        if not await self._rows.run(peers.beat, self._here, utc_now()):
            log.warning("diameter.taken_for_dead", connections=len(self._transports))
            await self._register()
            for transport in list(self._transports):
                transport.handle(transport.peer.stop(DisconnectCause.BUSY, transport.now()))
                transport.reschedule()

    async def _send_orders(self) -> None:
        await self._orders.send(self._transports)

    async def _deliver_events(self) -> None:
        await self._rows.run(deliver_to_gateways, utc_now())

    async def _write_counts(self) -> None:
        counts, self.counts = self.counts, Counter()
        try:
            await self._rows.run(add_counts, counts, utc_now())
        except Exception:
            self.counts.update(counts)
            raise

    async def _refresh(self) -> None:
        self._services = await self._rows.run(service_map)

    async def _look_for_expired(self) -> None:
        assert self._supervise is not None
        ended = await self._rows.run(self._supervise, utc_now())
        if ended:
            log.info("diameter.sessions_expired", sessions=ended)

    async def _read_ahead(self) -> None:
        assert self._keep_fresh is not None
        await self._reading.run(self._keep_fresh, utc_now())

    # --- connections ------------------------------------------------------------------------------------------------

    def connected(self, transport: DiameterTransport) -> None:
        self._transports.add(transport)
        self._empty.clear()
        if self._stopping:
            transport.handle(transport.peer.stop(DisconnectCause.REBOOTING, transport.now()))

    def disconnected(self, transport: DiameterTransport) -> None:
        self._transports.discard(transport)
        self._dirty.discard(transport)
        self._unintroduced.discard(transport)
        if not self._transports:
            self._empty.set()
        if transport.is_admitted:
            self._jobs.once(self._admission.leave(transport))

    def happened(self, transport: DiameterTransport, events: list[Event]) -> None:
        for event in events:
            _HANDLERS[type(event)](self, transport, event)

    def _request(self, transport: DiameterTransport, event: RequestReceived) -> None:
        request, came = event.request, time.perf_counter()
        try:
            if self._link.waiting >= self.configuration.max_requests:
                raise DiameterFault(ResultCode.TOO_BUSY, "too many requests wait for their answers")
            retransmitted = request.header.is_retransmitted
            ccr = read_request(request.avps)
        except DiameterFault as fault:
            self._refuse(transport, request, fault, came)
            return
        asked = charging_request(ccr, transport.connected, self._services, utc_now(), retransmitted)
        self._link.submit(asked, lambda reply: self._answered(transport, request, ccr, asked, reply, came))

    def _answered(
        self,
        transport: DiameterTransport,
        request: Request,
        ccr: CreditControlRequest,
        asked: OnlineRequest,
        reply: Reply,
        came: float,
    ) -> None:
        if isinstance(reply, ChargingUnavailable):
            log.error(
                "diameter.not_charged", session_id=asked.session_id, number=asked.number, why=str(reply)
            )
            # The client may ask again, here or elsewhere: a repeat of a charged request gets its answer.
            fault = DiameterFault(ResultCode.TOO_BUSY, "charging is not available now; ask again")
            self._refuse(transport, request, fault, came)
            return
        cca = credit_control_answer(self.configuration.node, ccr, reply, transport.connected.policy, asked.at)
        if cca.refusals:
            self._refusals.note(
                transport.peer_key, ccr.session_id, ccr.number, cca.result_code, cca.refusals, transport.now()
            )
        self._count(transport, REQUEST_NAMES[ccr.type], cca.result_code, came)
        self._send(transport, transport.peer.answer(request, cca.avps, transport.now()))

    def _refuse(
        self, transport: DiameterTransport, request: Request, fault: DiameterFault, came: float
    ) -> None:
        if fault.result_code != ResultCode.TOO_BUSY:
            session_id, number = request.avps["Session-Id"], request.avps["CC-Request-Number"]
            self._refusals.note(
                transport.peer_key,
                session_id,
                number,
                int(fault.result_code),
                [fault.message],
                transport.now(),
            )
        self._count(transport, REQUEST_NAMES[request.avps["CC-Request-Type"]], int(fault.result_code), came)
        self._send(transport, transport.peer.refuse_request(request, fault, transport.now()))

    def _send(self, transport: DiameterTransport, events: list[Event]) -> None:
        """Answers that are ready together leave together."""
        if events:
            self.happened(transport, events)
        if not self._dirty:
            asyncio.get_running_loop().call_soon(self._flush)
        self._dirty.add(transport)

    def _flush(self) -> None:
        dirty, self._dirty = self._dirty, set()
        for transport in dirty:
            transport.flush()

    def _count(self, transport: DiameterTransport, request: str, result_code: int, came: float) -> None:
        self.counts[transport.peer_key, request, result_code] += 1
        if self._measures:
            measure = self._latencies.get((request, result_code))
            if measure is None:
                measure = CCR_SECONDS.labels(request, str(result_code))
                self._latencies[request, result_code] = measure
            measure.observe(time.perf_counter() - came)

    def _introduced(self, transport: DiameterTransport, event: CapabilitiesReceived) -> None:
        self._jobs.once(self._admit(transport, event))

    async def _admit(self, transport: DiameterTransport, event: CapabilitiesReceived) -> None:
        outcome = await self._admission.decide(transport, event)
        if outcome is None:
            return
        if isinstance(outcome, peers.Refusal):
            log.warning(
                "diameter.peer_refused", peer=event.origin_host, remote=transport.remote, why=outcome.message
            )
            transport.handle(transport.peer.refuse(outcome.result_code, outcome.message, transport.now()))
            return
        self._unintroduced.discard(transport)
        transport.connected = ConnectedPeer(event.origin_host, event.origin_realm, outcome.answers)
        transport.peer_key = event.origin_host.lower()
        transport.handle(transport.peer.accept(outcome.policy, transport.now()))

    def _opened(self, transport: DiameterTransport, event: PeerOpened) -> None:
        log.info("diameter.peer_open", peer=event.origin_host, remote=transport.remote, tls=transport.secured)

    def _refused(self, transport: DiameterTransport, event: RequestRefused) -> None:
        self.counts[transport.peer_key, str(event.command), event.result_code] += 1
        log.info(
            "diameter.request_refused",
            peer=transport.peer.origin_host or transport.remote,
            command=event.command,
            result_code=event.result_code,
            why=event.message,
        )

    def _unmatched(self, transport: DiameterTransport, event: AnswerUnmatched) -> None:
        log.warning(
            "diameter.answer_dropped",
            peer=transport.peer.origin_host,
            command=event.command,
            why=event.reason,
        )

    def _order_answered(self, transport: DiameterTransport, event: AnswerReceived) -> None:
        avps = event.message.avps
        self._jobs.once(
            self._orders.answered(event.token, avps.get("Result-Code"), avps.get("Error-Message", ""))
        )

    def _order_failed(self, transport: DiameterTransport, event: RequestFailed) -> None:
        self._jobs.once(self._orders.answered(event.token, None, event.reason))

    def _ended(self, transport: DiameterTransport, event: ConnectionEnded) -> None:
        log.info(
            "diameter.connection_ended",
            peer=transport.peer.origin_host or "unknown",
            remote=transport.remote,
            why=event.reason,
        )
        transport.close()


_HANDLERS: dict[type, Callable[[DiameterServer, DiameterTransport, Any], None]] = {
    RequestReceived: DiameterServer._request,
    CapabilitiesReceived: DiameterServer._introduced,
    PeerOpened: DiameterServer._opened,
    RequestRefused: DiameterServer._refused,
    AnswerReceived: DiameterServer._order_answered,
    RequestFailed: DiameterServer._order_failed,
    AnswerUnmatched: DiameterServer._unmatched,
    ConnectionEnded: DiameterServer._ended,
}
