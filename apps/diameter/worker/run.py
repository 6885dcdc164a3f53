"""Running the server: one process with its event loop and charging threads, or several behind one port."""

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
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import structlog

from apps.charging.services.executor import BatchExecutor
from apps.charging.services.sessions import end_silent_sessions
from apps.diameter.worker.configuration import ServerConfiguration
from apps.diameter.worker.loop import run_loop
from apps.diameter.worker.server import DiameterServer
from apps.native.finder import loaded_compiled

log = structlog.get_logger(__name__)

PARENT_CHECK_S = 1.0
RESTART_AFTER_S = 1.0
CHILD_GRACE_S = 30.0
# Messages and answers die young, and what is there after the start stays: collecting less often costs next to nothing.
GC_THRESHOLDS = (50_000, 20, 50)

# How long a thread may keep the interpreter from others, seconds: charging computes, and the loop should not wait.
SWITCH_INTERVAL_S = 0.001

Announce = Callable[[str], None]


def run_server(configuration: ServerConfiguration, announce: Announce, parent_pid: int | None = None) -> None:
    """Serve in this process until SIGTERM or SIGINT, or until the parent is gone; then drain.

    Raises OSError where a port is taken.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    executor = BatchExecutor()
    executor.start()
    try:
        run_loop(_serve(configuration, executor, announce, parent_pid))
    finally:
        executor.stop()


async def _serve(
    configuration: ServerConfiguration, executor: BatchExecutor, announce: Announce, parent_pid: int | None
) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    forget_lines = executor.engine.directory.forget_lines
    server = DiameterServer(configuration, executor, end_silent_sessions, forget_lines)
    await server.start()
    node = configuration.node
    for port, tls in zip(server.ports, (False, True), strict=False):
        announce(
            f"Diameter: listening at {configuration.bind}:{port}{' (TLS)' if tls else ''} "
            f"as {node.origin_host}, realm {node.origin_realm}, process {os.getpid()}"
        )
    compiled, loaded = loaded_compiled()
    announce(f"Diameter: {compiled} of {loaded} hot modules run compiled (apps/native)")
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), PARENT_CHECK_S)
        if parent_pid is not None and os.getppid() != parent_pid:
            break
    announce("Diameter: draining")
    await server.stop()


def run_processes(
    configuration: ServerConfiguration, count: int, arguments: Sequence[str], announce: Announce
) -> None:
    """Keep ``count`` server processes running behind one port until SIGTERM or SIGINT.

    ``arguments`` start one of them (``manage.py rundiameter …``); one that dies is started again.
    """
    with _reserved(configuration) as ports:
        command = [sys.executable, *arguments, "--child-of", str(os.getpid()), "--port", str(ports[0])]
        if configuration.tls_port is not None:
            command += ["--tls-port", str(ports[1])]
        stopping = False

        def stop(*_: object) -> None:
            nonlocal stopping
            stopping = True

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        children = [subprocess.Popen(command) for _ in range(count)]
        while not stopping:
            time.sleep(0.1)
            for index, child in enumerate(children):
                if not stopping and child.poll() is not None:
                    announce(f"Diameter: process {child.pid} ended with {child.returncode}; starting another")
                    time.sleep(RESTART_AFTER_S)
                    children[index] = subprocess.Popen(command)
        for child in children:
            child.send_signal(signal.SIGTERM)
        for child in children:
            try:
                child.wait(CHILD_GRACE_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


@contextlib.contextmanager
def _reserved(configuration: ServerConfiguration) -> Any:
    """Hold the ports, so that the processes share the same ones and nobody else takes them."""
    with contextlib.ExitStack() as sockets:
        ports = []
        for port in (configuration.port, configuration.tls_port):
            if port is not None:
                held = sockets.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
                held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                held.bind((configuration.bind, port))
                ports.append(held.getsockname()[1])
        yield ports


def as_child(configuration: ServerConfiguration) -> ServerConfiguration:
    """The same for one of several processes."""
    return replace(configuration, reuse_port=True)
