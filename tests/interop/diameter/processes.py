"""The server as operators start it: ``manage.py rundiameter`` in a process of its own, on the tests' database."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

from tests import python_processes

ROOT = Path(__file__).resolve().parents[3]
START_TIMEOUT_S = 60


class RunningServer:
    """A server process; ``log`` is what it has written."""

    def __init__(self, process: python_processes.Process) -> None:
        self.process = process
        self.port = 0
        self.log: list[str] = []
        self.listening = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def stop(self) -> int:
        """SIGTERM, and its exit status."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(60)
        self._reader.join(10)
        return status

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.log.append(line)
            if (found := re.search(r"listening at \S+:(\d+)", line)) and not self.port:
                self.port = int(found[1])
                self.listening.set()
        self.listening.set()


@contextlib.contextmanager
def diameter_server(
    database_url: str, *arguments: str, port: int = 0, **environment: str
) -> Iterator[RunningServer]:
    """The server ``ocs.test`` of ``operator.test`` on a free port or the one given, which lets any peer in."""
    command = [
        *("manage.py", "rundiameter", "--port", str(port), "--accept-unknown-peers"),
        *("--origin-host", "ocs.test", "--origin-realm", "operator.test", *arguments),
    ]
    own = {"DATABASE_URL": database_url, "DJANGO_SETTINGS_MODULE": "bss_project.settings"}
    process = python_processes.start(command, env={**os.environ, **own, **environment})
    server = RunningServer(process)
    try:
        if not server.listening.wait(START_TIMEOUT_S) or not server.port:
            raise RuntimeError(f"the server did not start: {''.join(server.log[-30:])}")
        yield server
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
