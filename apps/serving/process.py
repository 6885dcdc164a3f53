"""Inside one server process: until when it serves, and how its garbage is collected."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import resource
import signal

PARENT_CHECK_S = 1.0
# Messages and answers die young, and what is there after the start stays: collecting less often costs next to nothing.
_GC_THRESHOLDS = (50_000, 20, 50)


class EndOfService:
    """SIGTERM, SIGINT, or a parent that is gone; to be made before the server starts, inside its event loop."""

    def __init__(self, parent_pid: int | None) -> None:
        self._parent_pid = parent_pid
        self._told = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._told.set)

    async def wait(self) -> None:
        """Returns when it is time to drain."""
        while not self._told.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._told.wait(), PARENT_CHECK_S)
            if self._parent_pid is not None and os.getppid() != self._parent_pid:
                return


def settle_memory() -> None:
    """Take what is there after the start out of every later collection; for a process that serves from now on."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)


def raise_open_files_limit() -> None:
    """Allow as many sockets as the system does; the usual limit of 1,024 is less than a process may serve."""
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, allowed))
