"""Running the server in this process: its event loop beside the charging threads."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from apps.charging.services.executor import BatchExecutor
from apps.charging.services.sessions import end_silent_sessions
from apps.diameter.worker.configuration import ServerConfiguration
from apps.diameter.worker.loop import run_loop
from apps.diameter.worker.server import DiameterServer
from apps.runtime.cores import keep_to_core
from apps.runtime.native.finder import loaded_compiled
from apps.runtime.process import EndOfService, settle_memory

Announce = Callable[[str], None]

# How long a thread may keep the GIL, seconds: charging threads compute, and the event loop should not wait for them.
SWITCH_INTERVAL_S = 0.001


def run_server(configuration: ServerConfiguration, announce: Announce) -> None:
    """Serve until SIGTERM or SIGINT; then drain. Raises OSError if a port is taken."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    if configuration.cores:
        # Before there are threads, which inherit it.
        keep_to_core(configuration.cores[0])
    executor = BatchExecutor()
    executor.start()
    try:
        run_loop(_serve(configuration, executor, announce))
    finally:
        executor.stop()


async def _serve(configuration: ServerConfiguration, executor: BatchExecutor, announce: Announce) -> None:
    end = EndOfService()
    directory = executor.engine.directory
    server = DiameterServer(
        configuration, executor, end_silent_sessions, directory.forget_lines, directory.refresh
    )
    await server.start()
    node = configuration.node
    for port, tls in zip(server.ports, (False, True), strict=False):
        announce(
            f"Diameter: listening at {configuration.bind}:{port}{' (TLS)' if tls else ''} "
            f"as {node.origin_host}, realm {node.origin_realm}, process {os.getpid()}"
        )
    compiled, loaded = loaded_compiled()
    announce(f"Diameter: {compiled} of {loaded} hot modules run compiled (apps/runtime/native)")
    settle_memory()
    await end.wait()
    announce("Diameter: draining")
    await server.stop()
