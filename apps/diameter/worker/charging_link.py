"""Between the event loop and the threads that charge: requests go over one by one, answers come back in bunches."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from apps.charging.domain.requests import ChargingAnswer, ChargingRequest

Answered = Callable[[ChargingAnswer | None, BaseException | None], None]
"""Given the answer, or why there is none."""


class ChargingService(Protocol):
    """What charges. ``submit`` returns at once; ``answered`` is called from any thread, once, after the commit."""

    def submit(self, request: ChargingRequest, answered: Answered) -> None: ...


class ChargingLink:
    """Carries answers from the charging threads into the loop: one wake-up for all that are ready."""

    def __init__(self, service: ChargingService, loop: asyncio.AbstractEventLoop) -> None:
        self._service = service
        self._loop = loop
        self._ready: deque[tuple[Answered, ChargingAnswer | None, BaseException | None]] = deque()
        self._woken = False
        self.waiting = 0

    def submit(self, request: ChargingRequest, answered: Answered) -> None:
        """Charge; ``answered`` is called in the loop."""
        self.waiting += 1

        def ready(answer: ChargingAnswer | None, error: BaseException | None) -> None:
            self._ready.append((answered, answer, error))
            if not self._woken:
                self._woken = True
                self._loop.call_soon_threadsafe(self._deliver)

        try:
            self._service.submit(request, ready)
        except BaseException:
            self.waiting -= 1
            raise

    def _deliver(self) -> None:
        # Cleared first: an answer that comes while these are delivered wakes the loop again.
        self._woken = False
        ready = self._ready
        while ready:
            answered, answer, error = ready.popleft()
            self.waiting -= 1
            answered(answer, error)
