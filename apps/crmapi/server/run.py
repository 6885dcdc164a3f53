"""Running the server: one process with its event loop and database threads, or several behind one port."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import grpc
import structlog
import uvloop
from django.db import connection
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import SERVICE_NAME as HEALTH_SERVICE
from grpc_health.v1.health import aio as health_aio
from grpc_reflection.v1alpha import reflection

from apps.crmapi.server.admission import Admission
from apps.crmapi.server.configuration import ServerConfiguration
from apps.crmapi.server.door import Door
from apps.crmapi.server.threads import DatabaseThreads
from apps.crmapi.servicers.table import SERVICE
from apps.crmapi.services.authentication import Authenticator
from apps.crmapi.services.rate_limits import RateLimiter

log = structlog.get_logger(__name__)

PARENT_CHECK_S = 1.0
HEALTH_CHECK_S = 5.0
RESTART_AFTER_S = 1.0
# Beyond the time for draining, before a process is killed.
CHILD_GRACE_S = 15.0
MAX_METADATA_OCTETS = 16 * 1024
GC_THRESHOLDS = (50_000, 20, 50)
# How long a thread may keep the interpreter from others, seconds: database threads compute, the loop should not wait.
SWITCH_INTERVAL_S = 0.0005

Announce = Callable[[str], None]


class CrmServer:
    """The server of one process: started, serving, drained."""

    def __init__(self, configuration: ServerConfiguration) -> None:
        self.configuration = configuration
        self.threads = DatabaseThreads(configuration.threads)
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
        door = Door(
            Admission(Authenticator(), RateLimiter()),
            self.threads,
            configuration.max_call_s,
            configuration.max_stream_s,
        )
        self._server.add_generic_rpc_handlers((door.handlers(),))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        if configuration.reflection:
            reflection.enable_server_reflection(
                (SERVICE, HEALTH_SERVICE, reflection.SERVICE_NAME), self._server
            )
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen; ``port`` is then the real one. Raises OSError where the port is taken."""
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
        """Take no more calls, let those in flight end for as long as may be, then let go of the database."""
        if self._watch is not None:
            self._watch.cancel()
        await self._health.enter_graceful_shutdown()
        await self._server.stop(self.configuration.drain_s)
        await asyncio.to_thread(self.threads.stop)

    async def _watch_health(self) -> None:
        while True:
            await asyncio.sleep(HEALTH_CHECK_S)
            await self._say_health()

    async def _say_health(self) -> None:
        try:
            await asyncio.wait_for(
                asyncio.wrap_future(self.threads.submit(_database_answers)), HEALTH_CHECK_S
            )
            status = health_pb2.HealthCheckResponse.SERVING
        except Exception as error:
            log.error("health_check_failed", error=str(error)[:300])
            status = health_pb2.HealthCheckResponse.NOT_SERVING
        for service in ("", SERVICE):
            await self._health.set(service, status)


def _database_answers() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()


def run_server(configuration: ServerConfiguration, announce: Announce, parent_pid: int | None = None) -> None:
    """Serve in this process until SIGTERM or SIGINT, or until the parent is gone; then drain.

    Raises OSError where the port is taken.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    uvloop.run(_serve(configuration, announce, parent_pid))


async def _serve(configuration: ServerConfiguration, announce: Announce, parent_pid: int | None) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = CrmServer(configuration)
    try:
        await server.start()
    except OSError:
        server.threads.stop()
        raise
    announce(
        f"gRPC: listening at {configuration.bind}:{server.port} ({configuration.transport}), process {os.getpid()}"
    )
    if configuration.trust is not None and parent_pid is None:
        announce(f"gRPC: clients trust it by {configuration.trust} (a certificate for development)")
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), PARENT_CHECK_S)
        if parent_pid is not None and os.getppid() != parent_pid:
            break
    announce("gRPC: draining")
    await server.stop()


def run_processes(
    configuration: ServerConfiguration, count: int, arguments: Sequence[str], announce: Announce
) -> None:
    """Keep ``count`` server processes running behind one port until SIGTERM or SIGINT.

    ``arguments`` start one of them (``manage.py rungrpc …``); one that dies is started again.
    """
    with _reserved(configuration) as port:
        command = [sys.executable, *arguments, "--child-of", str(os.getpid()), "--port", str(port)]
        stopping = False

        def stop(*_: object) -> None:
            nonlocal stopping
            stopping = True

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        if configuration.trust is not None:
            announce(f"gRPC: clients trust it by {configuration.trust} (a certificate for development)")
        children = [subprocess.Popen(command) for _ in range(count)]
        while not stopping:
            time.sleep(0.1)
            for index, child in enumerate(children):
                if not stopping and child.poll() is not None:
                    announce(f"gRPC: process {child.pid} ended with {child.returncode}; starting another")
                    time.sleep(RESTART_AFTER_S)
                    children[index] = subprocess.Popen(command)
        for child in children:
            child.send_signal(signal.SIGTERM)
        for child in children:
            try:
                child.wait(configuration.drain_s + CHILD_GRACE_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


@contextlib.contextmanager
def _reserved(configuration: ServerConfiguration) -> Iterator[int]:
    """Hold the port without listening, so that the processes share it and nobody else takes it."""
    family = socket.AF_INET6 if ":" in configuration.bind else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as held:
        # Another server that listens there without sharing is found by this.
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((configuration.bind, configuration.port))
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind((configuration.bind, configuration.port))
        yield held.getsockname()[1]


def as_child(configuration: ServerConfiguration) -> ServerConfiguration:
    """The same for one of several processes."""
    return replace(configuration, reuse_port=True)
