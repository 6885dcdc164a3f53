"""The port of a process for machines that watch it: ``/metrics``, ``/livez`` and ``/readyz``."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import structlog
from django.conf import settings
from django.db import DatabaseError, connections

from apps.licensing.services import gate
from apps.runtime import metrics

log = structlog.get_logger(__name__)

Probe = Callable[[], str]
"""Why the process is not ready; empty if it is."""

_probes: dict[str, Probe] = {}
_collectors: list[Any] = []


def add_probe(name: str, probe: Probe) -> None:
    """One more thing that has to be well for the process to be ready."""
    _probes[name] = probe


def add_collector(collector: Any) -> None:
    """A prometheus-client collector that is asked at each scrape of this process."""
    _collectors.append(collector)


def readiness() -> tuple[bool, str]:
    """Whether something is not well, and a line for each that is not."""
    found = {name: probe() for name, probe in {"database": _database, "licence": _licence, **_probes}.items()}
    lines = [f"{name}: {why}\n" for name, why in found.items() if why]
    return bool(lines), "".join(lines) or "ok\n"


def _database() -> str:
    try:
        with connections["default"].cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchone()
    except DatabaseError as error:
        return str(error) or type(error).__name__
    return ""


def _licence() -> str:
    return str(gate.verdict().error or "")


def serve() -> None:
    """Serve in a thread from now on, if there is a port for it; a port in use is said and leaves the process running.

    Children of this process write their metrics, and leave the port to it.
    """
    port = settings.METRICS_PORT
    if not port:
        return
    metrics.prepare()
    try:
        server = _Server((settings.METRICS_BIND, port), _Handler)
    except OSError as error:
        log.error("metrics.not_served", bind=settings.METRICS_BIND, port=port, why=str(error))
        return
    log.info("metrics.listening", bind=settings.METRICS_BIND, port=server.server_address[1])
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()


class _Server(ThreadingHTTPServer):
    daemon_threads = True


class _Handler(BaseHTTPRequestHandler):
    timeout = 10

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/metrics":
            content, kind = metrics.exposition(_collectors)
            self._answer(200, content, kind)
        elif path == "/livez":
            self._answer(200, b"ok\n")
        elif path == "/readyz":
            wrong, said = readiness()
            connections.close_all()
            self._answer(503 if wrong else 200, said.encode())
        else:
            self._answer(404, b"/metrics, /livez, /readyz\n")

    def _answer(self, status: int, content: bytes, kind: str = "text/plain; charset=utf-8") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Scrapes come every few seconds; they are not worth a line."""
