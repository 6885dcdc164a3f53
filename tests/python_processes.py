"""``start(["manage.py", "loadcdrs"], env=…)``: Python processes that start at once, see tests/fork_server.py.

What is special about a real start is shown by the tests of ``./run serve`` and of its supervisor, and by all processes
that start others: those start theirs by the command line, as in production.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from apps.runtime import children

ROOT = Path(__file__).resolve().parent.parent
_server: tuple[int, subprocess.Popen[bytes], str] | None = None


class Process:
    """A started process, with the methods of ``subprocess.Popen`` that tests use."""

    def __init__(self, connection: socket.socket, output: IO[Any] | None) -> None:
        self.stdout = output
        self.returncode: int | None = None
        self._connection = connection
        self._told = b""
        self.pid = int(self._line(None) or 0)
        assert self.pid, "the server of processes ended"

    def _line(self, timeout: float | None) -> bytes | None:
        """The next line that the server tells; None when it does not within the time. Empty when it has ended."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while b"\n" not in self._told:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not select.select([self._connection], [], [], left)[0]:
                return None
            piece = self._connection.recv(100)
            if not piece:
                return b""
            self._told += piece
        line, self._told = self._told.split(b"\n", 1)
        return line

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            line = self._line(timeout)
            if line is None:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
            # An attendant that ends without a word was killed together with the process.
            self.returncode = int(line or -signal.SIGKILL)
            self._connection.close()
        return self.returncode

    def poll(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def communicate(self, timeout: float | None = None) -> tuple[Any, None]:
        """What it has said until its end."""
        said: Any = None
        if self.stdout is not None:
            said = self.stdout.read()
            self.stdout.close()
        self.wait(timeout)
        return said, None

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def start(
    arguments: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    output: IO[Any] | None = None,
    cwd: Path = ROOT,
) -> Process:
    """``python ARGUMENTS`` under this environment, in a session of its own.

    What it says goes to ``output``, or else to the process's ``stdout`` as text.
    """
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(_socket_path())
    order = {"arguments": [os.fspath(part) for part in arguments], "env": dict(env), "folder": str(cwd)}
    reader: IO[Any] | None = None
    if output is None:
        ours, theirs = os.pipe()
        reader = os.fdopen(ours, encoding="utf-8", errors="replace")
    else:
        theirs = os.dup(output.fileno())
    message = json.dumps(order).encode() + b"\n"
    sent = socket.send_fds(connection, [message], [theirs])
    os.close(theirs)
    connection.sendall(message[sent:])
    return Process(connection, reader)


def _socket_path() -> str:
    """The server of this process, started when it is first needed."""
    global _server
    if _server is None or _server[0] != os.getpid():
        folder = tempfile.mkdtemp(prefix="bss-forks-")
        path = f"{folder}/s"
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.fork_server", path],
            cwd=ROOT,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "bss_project.settings", "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=children.leash(),
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n", "the server of processes did not start"
        _server = (os.getpid(), process, path)
        atexit.register(_stop, os.getpid(), process, folder)
    return _server[2]


def _stop(owner: int, process: subprocess.Popen[bytes], folder: str) -> None:
    if os.getpid() == owner:
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)
