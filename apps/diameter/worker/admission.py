"""Letting peers in: one connection each, and a gateway that fell over gets its name back within seconds."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection

import structlog
from django.db import OperationalError

from apps.diameter.protocol.codes import ResultCode
from apps.diameter.protocol.peer_events import CapabilitiesReceived
from apps.diameter.services import peers
from apps.diameter.worker.configuration import ServerConfiguration
from apps.diameter.worker.database_thread import DatabaseThread
from apps.diameter.worker.transport import DiameterTransport
from apps.kernel.clock import utc_now

log = structlog.get_logger(__name__)

POLL_S = 0.2
"""How often a visitor's name is tried again while the connection that has it is asked whether it lives."""
MARGIN_S = 2.0
"""For the probe's way through the database, there and back."""


class PeerAdmission:
    """Decides on introductions. ``transports`` is live: a visitor that is not among them has left."""

    def __init__(
        self,
        here: peers.Here,
        configuration: ServerConfiguration,
        rows: DatabaseThread,
        transports: Collection[DiameterTransport],
    ) -> None:
        self._here = here
        self._configuration = configuration
        self._rows = rows
        self._transports = transports
        # A flood of introductions has one question in the thread's queue, and heartbeats wait for no more than that.
        self._one_at_a_time = asyncio.Lock()
        self._probed: set[str] = set()

    async def decide(
        self, transport: DiameterTransport, event: CapabilitiesReceived
    ) -> peers.Admission | peers.Refusal | None:
        """The terms, the reason for turning it away, or None for a visitor that has left meanwhile.

        A name whose connection is in doubt is waited for (RFC 6733 section 5.6 leaves open how a peer that restarted
        is told from a duplicate): the probe's time and a little more, within the time for introductions.
        """
        limits = self._configuration.limits
        patience_s = min(limits.probe_s + MARGIN_S, limits.capabilities_timeout_s - MARGIN_S)
        deadline = transport.now() + patience_s
        visitor = peers.Visitor(
            event.origin_host,
            event.origin_realm,
            event.product_name,
            transport.remote,
            transport.secured,
            transport.token,
            transport.certificate_names,
        )
        again = False
        while True:
            outcome = await self._ask(transport, visitor, again)
            if not isinstance(outcome, peers.InDoubt):
                return outcome
            if transport.now() >= deadline:
                return peers.Refusal(
                    ResultCode.UNABLE_TO_COMPLY,
                    f"{event.origin_host} is connected already, as far as is known",
                )
            again = True
            await asyncio.sleep(POLL_S)

    async def _ask(
        self, transport: DiameterTransport, visitor: peers.Visitor, again: bool
    ) -> peers.Admission | peers.Refusal | peers.InDoubt | None:
        async with self._one_at_a_time:
            if transport not in self._transports:
                return None
            try:
                outcome = await self._rows.run(
                    peers.admit, self._here, visitor, self._unknown_refused(), again, utc_now()
                )
            except Exception as error:
                log.error("diameter.admission_failed", peer=visitor.host, error=str(error))
                return peers.Refusal(ResultCode.UNABLE_TO_COMPLY, "the server cannot look its peers up")
        if isinstance(outcome, peers.Admission):
            transport.is_admitted = True
            transport.is_configured = outcome.is_configured
            if transport not in self._transports:
                await self.leave(transport)
                return None
        return outcome

    async def leave(self, transport: DiameterTransport) -> None:
        """Free the name of a connection that is gone. Without a database :meth:`probe` does it later."""
        with contextlib.suppress(OperationalError):
            await self._rows.run(peers.leave, self._here.key, transport.token)

    def _unknown_refused(self) -> peers.Refusal | None:
        """Why a peer that is not configured is turned away now. Configured ones always have place: one each."""
        if not self._configuration.accept_unknown_peers:
            return peers.NOT_CONFIGURED
        unknown = sum(one.is_admitted and not one.is_configured for one in self._transports)
        if unknown >= self._configuration.max_unknown_peers:
            return peers.Refusal(
                ResultCode.TOO_BUSY, f"{unknown} peers that are not configured are connected"
            )
        return None

    async def probe(self) -> None:
        """Ask connections of this process that are in doubt, and clear the doubt about those that answered."""
        doubted = await self._rows.run(peers.doubted, self._here.key)
        by_token = {transport.token: transport for transport in self._transports}
        self._probed.intersection_update(doubted)
        trusted: list[str] = []
        for token in doubted:
            transport = by_token.get(token)
            if transport is None:
                # Its row outlived it, for lack of a database when it went.
                await self._rows.run(peers.leave, self._here.key, token)
            elif token in self._probed and not transport.peer.is_doubted():
                trusted.append(token)
            else:
                self._probed.add(token)
                transport.handle(transport.peer.probe(transport.now()))
                transport.reschedule()
        if trusted:
            await self._rows.run(peers.trust, self._here.key, trusted)
            self._probed.difference_update(trusted)
