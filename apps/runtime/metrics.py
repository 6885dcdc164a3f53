"""Metrics of all processes, declared by the rooms, written where things happen, read by Prometheus.

Without ``BSS_METRICS_PORT`` nothing is imported, and a metric does nothing. With it, each process writes into files
of one folder (prometheus-client's multiprocess mode), and the process with the port, the keeper of the others, adds
them up.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Sequence
from typing import Any, Protocol

from django.conf import settings

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
LATENCIES_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metric(Protocol):
    """What a room does with a metric; a counter goes up, a histogram observes."""

    def labels(self, *values: str) -> Metric: ...

    def inc(self, amount: float = 1) -> None: ...

    def observe(self, amount: float) -> None: ...


class _Silent:
    """A metric that is not kept."""

    def labels(self, *values: str) -> Metric:
        return self

    def inc(self, amount: float = 1) -> None:
        pass

    def observe(self, amount: float) -> None:
        pass


_SILENT = _Silent()


def is_on() -> bool:
    """Whether this process keeps metrics: it, or its keeper, has a port for them."""
    return bool(settings.METRICS_PORT) or FOLDER in os.environ


def counter(name: str, meaning: str, labels: Sequence[str] = ()) -> Metric:
    """A number that only goes up; ``bss_`` and ``_total`` are added to the name."""
    return _made("Counter", name, meaning, labels)


def histogram(
    name: str, meaning: str, labels: Sequence[str] = (), buckets: Sequence[float] = LATENCIES_S
) -> Metric:
    """How often which value was seen, in buckets; of seconds unless others are given."""
    return _made("Histogram", name, meaning, labels, buckets=buckets)


def _made(kind: str, name: str, meaning: str, labels: Sequence[str], **options: Any) -> Metric:
    if not is_on():
        return _SILENT
    _folder()
    import prometheus_client

    found: Metric = getattr(prometheus_client, kind)(f"bss_{name}", meaning, tuple(labels), **options)
    return found


def _folder() -> str:
    """Where the metrics' files are. It must be known before prometheus-client is imported; children inherit it."""
    if FOLDER not in os.environ:
        owner = os.getpid()
        os.environ[FOLDER] = made = tempfile.mkdtemp(prefix="bss-metrics-")
        atexit.register(_remove, made, owner)
    return os.environ[FOLDER]


def _remove(folder: str, owner: int) -> None:
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def prepare() -> None:
    """Be the process that serves: its children keep metrics, too, and leave the port to it."""
    _folder()
    os.environ["BSS_METRICS_PORT"] = "0"


def exposition(collectors: Sequence[Any]) -> tuple[bytes, str]:
    """The metrics of this process and its children, and of these collectors, as Prometheus reads them; and the type."""
    from prometheus_client import CollectorRegistry, ProcessCollector
    from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = CollectorRegistry()
    MultiProcessCollector(registry, _folder())  # type: ignore[no-untyped-call]
    ProcessCollector(registry=registry)
    for collector in collectors:
        registry.register(collector)
    return generate_latest(registry), CONTENT_TYPE_LATEST
