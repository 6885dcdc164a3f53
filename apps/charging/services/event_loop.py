"""The batch executor for an asyncio event loop: a future a request, woken once a batch."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from apps.charging.domain.requests import ChargingAnswer, ChargingRequest
from apps.charging.services.executor import BatchExecutor, ChargingUnavailable, Reply


class LoopExecutor:
    """Charges requests of the running event loop on ``executor``'s threads."""

    def __init__(self, executor: BatchExecutor, loop: asyncio.AbstractEventLoop) -> None:
        self._executor, self._loop = executor, loop

    def charge(self, request: ChargingRequest) -> asyncio.Future[ChargingAnswer]:
        """Queue the request; the future has its committed answer, or ChargingUnavailable."""
        future: asyncio.Future[ChargingAnswer] = self._loop.create_future()
        self._executor.put(request, self, future)
        return future

    def deliver(self, replies: Sequence[tuple[asyncio.Future[ChargingAnswer], Reply]]) -> None:
        self._loop.call_soon_threadsafe(_settle, replies)


def _settle(replies: Sequence[tuple[asyncio.Future[ChargingAnswer], Reply]]) -> None:
    for future, reply in replies:
        if future.done():
            continue
        if isinstance(reply, ChargingUnavailable):
            future.set_exception(reply)
        else:
            future.set_result(reply)
