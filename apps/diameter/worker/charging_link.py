"""Between the event loop and the threads that charge: requests go over one by one, answers come back by the batch."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from apps.charging.domain.requests import OnlineRequest
from apps.charging.services.executor import ChargingUnavailable, Reply, Sink

log = structlog.get_logger(__name__)

Answered = Callable[[Reply], None]


class ChargingService(Protocol):
    """What charges: :class:`apps.charging.services.executor.BatchExecutor`, or a fake.

    ``submit`` returns at once; the sink is given each token and its reply from any thread, once, after the commit.
    Raises ChargingUnavailable, and has taken none of them, where charging is stopping.
    """

    def submit(self, requests: Sequence[tuple[OnlineRequest, Answered]], sink: Sink[Answered]) -> None: ...


class ChargingLink:
    """Carries requests to the charging threads and replies back into the loop, each way with one hand-over for many."""

    def __init__(self, service: ChargingService, loop: asyncio.AbstractEventLoop) -> None:
        self._service = service
        self._loop = loop
        self._ready: list[tuple[OnlineRequest, Answered]] = []
        self.waiting = 0

    def submit(self, request: OnlineRequest, answered: Answered) -> None:
        """Charge; ``answered`` is called in the loop, with ChargingUnavailable where charging is stopping."""
        if not self._ready:
            # What this round of the loop reads goes together: a hand-over costs as much as several requests.
            self._loop.call_soon(self._hand_over)
        self._ready.append((request, answered))
        self.waiting += 1

    def deliver(self, replies: Sequence[tuple[Answered, Reply]]) -> None:
        """Of the charging threads."""
        try:
            self._loop.call_soon_threadsafe(self._settle, replies)
        except RuntimeError:
            if not self._loop.is_closed():
                raise
            # The connections are gone. What was charged is committed, and a repeat gets its answer.
            log.warning("diameter.answered_after_the_end", requests=len(replies))

    def _hand_over(self) -> None:
        ready, self._ready = self._ready, []
        try:
            self._service.submit(ready, self)
        except ChargingUnavailable as unavailable:
            self._settle([(answered, unavailable) for _, answered in ready])

    def _settle(self, replies: Sequence[tuple[Answered, Reply]]) -> None:
        self.waiting -= len(replies)
        for answered, reply in replies:
            answered(reply)
