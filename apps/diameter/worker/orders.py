"""Sends the orders (RAR, ASR) whose connections are here, and notes what the gateways answered."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import structlog

from apps.charging.services import session_orders
from apps.diameter.protocol.codes import APPLICATION_CREDIT_CONTROL, Command, ReAuthRequestType
from apps.diameter.protocol.node import LocalNode
from apps.diameter.protocol.peer_states import PeerState
from apps.diameter.services import orders
from apps.diameter.worker.database_thread import DatabaseThread
from apps.diameter.worker.transport import DiameterTransport
from apps.kernel.clock import utc_now

log = structlog.get_logger(__name__)


ForgetLines = Callable[[Collection[int]], None]
"""Invalidates what charging in this process has cached of these subscribers."""


class OrderSender:
    """Takes orders from the database. The answer to each comes back by its id, from the connection it was sent on."""

    def __init__(
        self, process_key: str, node: LocalNode, rows: DatabaseThread, forget_lines: ForgetLines | None = None
    ) -> None:
        self._process_key = process_key
        self._node = node
        self._rows = rows
        self._forget_lines = forget_lines

    async def send(self, transports: Collection[DiameterTransport]) -> None:
        """Send pending orders. ``transports`` is live: it is looked at after each wait for the database."""
        taken = await self._rows.run(orders.take_orders, self._process_key, utc_now())
        if taken and self._forget_lines is not None:
            # What these sessions ask for next comes by here, and a new plan is to count then.
            self._forget_lines(await self._rows.run(session_orders.subscribers_of, taken))
        by_host = {
            transport.peer.origin_host.lower(): transport
            for transport in transports
            if transport.peer.state is PeerState.OPEN
        }
        for order in taken:
            transport = by_host.get(order.peer)
            if transport is None:
                # Not open yet, or just closed: for the next round, here or elsewhere.
                await self._rows.run(session_orders.give_back, order.id)
                continue
            route = orders.route_from_text(order.route)
            command = Command.ABORT_SESSION if order.aborts else Command.RE_AUTH
            avps: dict[str, Any] = {
                "Session-Id": order.session_id,
                "Origin-Host": self._node.origin_host,
                "Origin-Realm": self._node.origin_realm,
                "Destination-Realm": route.realm or transport.peer.origin_realm,
                "Destination-Host": route.host,
                "Auth-Application-Id": APPLICATION_CREDIT_CONTROL,
            }
            if command is Command.RE_AUTH:
                avps["Re-Auth-Request-Type"] = int(ReAuthRequestType.AUTHORIZE_ONLY)
                avps["Rating-Group"] = order.rating_group
            transport.peer.send_request(command, avps, transport.now(), order.id)
            transport.handle(transport.peer.tick(transport.now()))
            transport.reschedule()
            log.info("diameter.order_sent", order=order.kind, session_id=order.session_id, cause=order.cause)

    async def answered(self, order_id: int, result_code: int | None, detail: str) -> None:
        """Note how an order ended."""
        await self._rows.run(orders.finish_order, order_id, result_code, detail, utc_now())
