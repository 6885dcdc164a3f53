"""Between the event loop and the threads that charge: requests go over one by one, answers come back by the batch."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from apps.charging.domain.requests import ChargingRequest
from apps.charging.services.executor import Reply, Sink

Answered = Callable[[Reply], None]


class ChargingService(Protocol):
    """What charges: :class:`apps.charging.services.executor.BatchExecutor`, or a fake.

    ``put`` returns at once; the sink is given ``token`` and the reply from any thread, once, after the commit.
    """

    def put(self, request: ChargingRequest, sink: Sink, token: Any) -> None: ...


class ChargingLink:
    """Carries replies from the charging threads into the loop, with one wake-up for a batch."""

    def __init__(self, service: ChargingService, loop: asyncio.AbstractEventLoop) -> None:
        self._service = service
        self._loop = loop
        self.waiting = 0

    def submit(self, request: ChargingRequest, answered: Answered) -> None:
        """Charge; ``answered`` is called in the loop. Raises ChargingUnavailable where charging is stopping."""
        self._service.put(request, self, answered)
        self.waiting += 1

    def deliver(self, replies: Sequence[tuple[Answered, Reply]]) -> None:
        """Of the charging threads."""
        self._loop.call_soon_threadsafe(self._settle, replies)

    def _settle(self, replies: Sequence[tuple[Answered, Reply]]) -> None:
        self.waiting -= len(replies)
        for answered, reply in replies:
            answered(reply)
