"""What a server does beside its connections: jobs again and again, and tasks once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

log = structlog.get_logger(__name__)

Job = Callable[[], Coroutine[Any, Any, None]]


class Jobs:
    """Runs them in the event loop until :meth:`finish`."""

    def __init__(self) -> None:
        self._repeated: set[asyncio.Task[None]] = set()
        self._once: set[asyncio.Task[None]] = set()

    def every(self, seconds: float, job: Job) -> None:
        """Run the job each so many seconds; one that fails is tried again in the next round."""
        self._repeated.add(asyncio.get_running_loop().create_task(_repeat(seconds, job)))

    def once(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._once.add(task)
        task.add_done_callback(self._once.discard)

    async def finish(self, timeout_s: float) -> None:
        """Let running jobs end; then end everything."""
        if self._once:
            await asyncio.wait(self._once, timeout=timeout_s)
        unfinished = self._repeated | self._once
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)


async def _repeat(seconds: float, job: Job) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            await job()
        except Exception as error:
            # The server charges on meanwhile.
            log.warning("diameter.job_failed", job=job.__name__.strip("_"), error=str(error))
