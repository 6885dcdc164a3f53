"""A server with a charging service that is always generous, within the test's own event loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from apps.diameter.load.client import GatewayClient
from apps.diameter.models import Connection
from apps.diameter.protocol.limits import Limits
from apps.diameter.protocol.node import LocalNode
from apps.diameter.protocol.values import address_of_text
from apps.diameter.worker.configuration import ServerConfiguration, node_for
from apps.diameter.worker.server import DiameterServer
from tests.diameter.connections import split
from tests.diameter.fake_charging import FakeCharging

NODE = node_for("ocs.test", "operator.test", "127.0.0.1")
LIMITS = Limits(drain_timeout_s=2.0, disconnect_timeout_s=1.0)


def configuration(**changes: Any) -> ServerConfiguration:
    values: dict[str, Any] = {
        "node": NODE,
        "port": 0,
        "limits": LIMITS,
        "orders_s": 0.02,
        "probes_s": 0.02,
        "accept_unknown_peers": True,
    }
    return ServerConfiguration(**(values | changes))


@contextlib.asynccontextmanager
async def running(
    charging: FakeCharging | None = None, **changes: Any
) -> AsyncIterator[tuple[DiameterServer, FakeCharging]]:
    charging = charging or FakeCharging()
    server = DiameterServer(configuration(**changes), charging)
    await server.start()
    try:
        yield server, charging
    finally:
        charging.release()
        await server.stop()
        charging.close()


def gateway(host: str = "pgw.test", realm: str = "visited.test", **options: Any) -> GatewayClient:
    return GatewayClient(LocalNode(host, realm, (address_of_text("127.0.0.1"),)), **options)


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    """Until it holds; a test that waits forever is ended by its own time limit of a minute."""
    async with asyncio.timeout(60):
        while not await condition():
            await asyncio.sleep(0.01)


async def nobody_is_connected() -> bool:
    return not await asyncio.to_thread(Connection.objects.exists)


async def somebody_is_connected() -> bool:
    return await asyncio.to_thread(Connection.objects.exists)


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(test())


def split_whole(octets: bytes) -> list[bytes]:
    """The whole messages at the beginning of what arrived."""
    end = 0
    while len(octets) - end >= 20 and len(octets) - end >= int.from_bytes(octets[end + 1 : end + 4], "big"):
        end += int.from_bytes(octets[end + 1 : end + 4], "big")
    return split(octets[:end])
