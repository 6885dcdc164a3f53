"""Threads that work with the database: each has a connection of its own, looked at when it was idle."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from django.db import close_old_connections

P = ParamSpec("P")
T = TypeVar("T")

# A connection that was used this recently is taken as good.
IDLE_S = 1.0


class DatabaseThreads:
    """A bounded pool of threads; work beyond their number waits in order."""

    def __init__(self, count: int, name: str = "grpc-database") -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix=name)
        self._local = threading.local()

    def submit(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        return self._pool.submit(self._with_connection, lambda: work(*args, **kwargs))

    def stop(self) -> None:
        """Wait for running work, and close the connections."""
        self._pool.shutdown(wait=True)

    def _with_connection(self, work: Callable[[], T]) -> T:
        now = time.monotonic()
        if now - getattr(self._local, "used_at", 0.0) > IDLE_S:
            close_old_connections()
        try:
            return work()
        finally:
            self._local.used_at = time.monotonic()
