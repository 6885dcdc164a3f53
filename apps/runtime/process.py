"""Inside one server process: until when it serves, and how its garbage is collected."""

from __future__ import annotations

import asyncio
import gc
import signal

# Messages and answers die young, and objects of the start stay: collecting less often costs next to nothing.
_GC_THRESHOLDS = (50_000, 20, 50)


class EndOfService:
    """SIGTERM or SIGINT; to be made before the server starts, inside its event loop."""

    def __init__(self) -> None:
        self._told = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._told.set)

    async def wait(self) -> None:
        """Returns when it is time to drain."""
        await self._told.wait()


def settle_memory() -> None:
    """Take the objects of the start out of every later collection; for a process that serves from now on."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)
