"""Running the server: one process with its event loop and charging threads, or several behind one port."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from dataclasses import replace

import structlog

from apps.charging.services.executor import BatchExecutor
from apps.charging.services.sessions import end_silent_sessions
from apps.diameter.worker.configuration import ServerConfiguration
from apps.diameter.worker.loop import run_loop
from apps.diameter.worker.server import DiameterServer
from apps.native.finder import loaded_compiled
from apps.serving.cores import keep_to_core
from apps.serving.ports import held_port
from apps.serving.process import EndOfService, raise_open_files_limit, settle_memory
from apps.serving.processes import Announce, keep_running

log = structlog.get_logger(__name__)

CHILD_GRACE_S = 30.0

# How long a thread may keep the interpreter from others, seconds: charging computes, and the loop should not wait.
SWITCH_INTERVAL_S = 0.001


def run_server(configuration: ServerConfiguration, announce: Announce, parent_pid: int | None = None) -> None:
    """Serve in this process until SIGTERM or SIGINT, or until the parent is gone; then drain.

    Raises OSError where a port is taken.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    raise_open_files_limit()
    if configuration.cores:
        # Before there are threads, which inherit it.
        keep_to_core(configuration.cores[0])
    executor = BatchExecutor()
    executor.start()
    try:
        run_loop(_serve(configuration, executor, announce, parent_pid))
    finally:
        executor.stop()


async def _serve(
    configuration: ServerConfiguration, executor: BatchExecutor, announce: Announce, parent_pid: int | None
) -> None:
    end = EndOfService(parent_pid)
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
    announce(f"Diameter: {compiled} of {loaded} hot modules run compiled (apps/native)")
    settle_memory()
    await end.wait()
    announce("Diameter: draining")
    await server.stop()


def run_processes(
    configuration: ServerConfiguration, count: int, arguments: Sequence[str], announce: Announce
) -> None:
    """Keep ``count`` server processes running behind one port until SIGTERM or SIGINT.

    ``arguments`` start one of them (``manage.py rundiameter …``); one that dies is started again.
    """
    with contextlib.ExitStack() as held:
        ports = [
            held.enter_context(held_port(configuration.bind, port))
            for port in (configuration.port, configuration.tls_port)
            if port is not None
        ]
        command = [sys.executable, *arguments, "--child-of", str(os.getpid()), "--port", str(ports[0])]
        if configuration.tls_port is not None:
            command += ["--tls-port", str(ports[1])]
        cores = configuration.cores
        of_each = [["--cores", str(cores[number % len(cores)])] if cores else [] for number in range(count)]
        keep_running([command + options for options in of_each], "Diameter", CHILD_GRACE_S, announce)


def as_child(configuration: ServerConfiguration) -> ServerConfiguration:
    """The same for one of several processes."""
    return replace(configuration, reuse_port=True)
