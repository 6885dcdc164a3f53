"""Running the server in this process: its event loop and database threads."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from typing import Any

import grpc
import structlog
import uvloop
from django.db import connection
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import SERVICE_NAME as HEALTH_SERVICE
from grpc_health.v1.health import aio as health_aio
from grpc_reflection.v1alpha import reflection

from apps.crm.services.authentication import Authenticator
from apps.crm.services.rate_limits import RateLimiter
from apps.crm.services.shared_rates import shared_buckets
from apps.crmapi.grpc.server.admission import Admission
from apps.crmapi.grpc.server.configuration import ServerConfiguration
from apps.crmapi.grpc.server.group_reading import GROUPS_AT_ONCE
from apps.crmapi.grpc.server.servicer import Servicer
from apps.crmapi.grpc.server.threads import DatabaseThreads
from apps.crmapi.grpc.servicers.table import SERVICE
from apps.runtime.process import EndOfService, settle_memory

log = structlog.get_logger(__name__)

HEALTH_CHECK_S = 5.0
MAX_METADATA_OCTETS = 16 * 1024
# How long a thread may keep the GIL, seconds: database threads compute, the event loop should not wait for them.
SWITCH_INTERVAL_S = 0.0005


class CrmServer:
    """The server of one process: started, serving, drained."""

    def __init__(self, configuration: ServerConfiguration) -> None:
        self.configuration = configuration
        self.threads = DatabaseThreads(configuration.threads)
        # Of their own: what they keep at hand, and the database for them, stays the same from group to group.
        self.readers = DatabaseThreads(GROUPS_AT_ONCE, "grpc-readers")
        self.port = 0
        self._health = health_aio.HealthServicer()
        self._server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", configuration.max_message_octets),
                ("grpc.max_send_message_length", configuration.max_message_octets),
                ("grpc.max_metadata_size", MAX_METADATA_OCTETS),
                ("grpc.absolute_max_metadata_size", MAX_METADATA_OCTETS),
                ("grpc.so_reuseport", 1 if configuration.reuse_port else 0),
                # A client that went away without a word is noticed, and may ask as often.
                ("grpc.keepalive_time_ms", 60_000),
                ("grpc.keepalive_timeout_ms", 20_000),
                ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
            ],
            maximum_concurrent_rpcs=configuration.max_calls,
        )
        servicer = Servicer(
            Admission(Authenticator(), RateLimiter(shared=shared_buckets())),
            self.threads,
            self.readers,
            configuration.max_call_s,
            configuration.max_stream_s,
        )
        self._server.add_generic_rpc_handlers((servicer.handlers(),))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        if configuration.reflection:
            reflection.enable_server_reflection(
                (SERVICE, HEALTH_SERVICE, reflection.SERVICE_NAME), self._server
            )
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen; ``port`` is then the real one. Raises OSError if the port is taken."""
        configuration = self.configuration
        host = f"[{configuration.bind}]" if ":" in configuration.bind else configuration.bind
        address = f"{host}:{configuration.port}"
        try:
            if configuration.credentials is None:
                self.port = self._server.add_insecure_port(address)
            else:
                self.port = self._server.add_secure_port(address, configuration.credentials)
        except RuntimeError as error:
            raise OSError(
                f"cannot listen at {address}: it is in use, or no address of this machine"
            ) from error
        await self._server.start()
        await self._say_health()
        self._watch = asyncio.create_task(self._watch_health())

    async def stop(self) -> None:
        """Take no more calls, let those in flight end for as long as may be, then close the database connection."""
        if self._watch is not None:
            self._watch.cancel()
        await self._health.enter_graceful_shutdown()
        await self._server.stop(self.configuration.drain_s)
        await asyncio.to_thread(self.stop_threads)

    def stop_threads(self) -> None:
        """Wait for what they are doing, and close their connections."""
        self.threads.stop()
        self.readers.stop()

    async def _watch_health(self) -> None:
        while True:
            await asyncio.sleep(HEALTH_CHECK_S)
            await self._say_health()

    async def _say_health(self) -> None:
        try:
            await asyncio.wait_for(
                asyncio.wrap_future(self.threads.submit(_database_answers)), HEALTH_CHECK_S
            )
            status: Any = health_pb2.HealthCheckResponse.SERVING
        except Exception as error:
            log.error("health_check_failed", error=str(error)[:300])
            status = health_pb2.HealthCheckResponse.NOT_SERVING
        for service in ("", SERVICE):
            await self._health.set(service, status)


def _database_answers() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()


def run_server(configuration: ServerConfiguration, announce: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; then drain. Raises OSError if the port is taken."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    uvloop.run(_serve(configuration, announce))


async def _serve(configuration: ServerConfiguration, announce: Callable[[str], None]) -> None:
    end = EndOfService()
    server = CrmServer(configuration)
    try:
        await server.start()
    except OSError:
        server.stop_threads()
        raise
    announce(
        f"gRPC: listening at {configuration.bind}:{server.port} ({configuration.transport}), process {os.getpid()}"
    )
    settle_memory()
    await end.wait()
    announce("gRPC: draining")
    await server.stop()
