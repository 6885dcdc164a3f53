"""One thread for the server's own rows (peers, orders, counts), so that the event loop never waits for a database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import close_old_connections, connections

T = TypeVar("T")


class DatabaseThread:
    """Runs functions one after the other, with a healthy connection each."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="diameter-rows")

    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        """The function's result; it is waited for without blocking the loop."""
        return await asyncio.get_running_loop().run_in_executor(
            self._pool, _with_connection, function, arguments
        )

    def close(self) -> None:
        """Wait for what runs, then let the connection and the thread go."""
        self._pool.submit(connections.close_all)
        self._pool.shutdown(wait=True)


def _with_connection(function: Callable[..., T], arguments: tuple[object, ...]) -> T:
    close_old_connections()
    return function(*arguments)
