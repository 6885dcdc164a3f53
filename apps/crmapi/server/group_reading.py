"""Reads of the same kind answered together: those that came while the last ones were read. None waits for others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from apps.crmapi.server.errors import Unavailable
from apps.crmapi.server.threads import DatabaseThreads

MOST_TOGETHER = 128

A = TypeVar("A")
R = TypeVar("R")


class GroupReader(Generic[A, R]):
    """``read`` takes a list and gives as many results within ``most_s`` seconds; a lone call is read at once."""

    def __init__(
        self,
        threads: DatabaseThreads,
        read: Callable[[list[A]], Sequence[R]],
        most_s: float,
        most: int = MOST_TOGETHER,
    ) -> None:
        self._threads = threads
        self._read = read
        self._most_s = most_s
        self._most = most
        self._waiting: list[tuple[A, asyncio.Future[R]]] = []
        self._task: asyncio.Task[None] | None = None

    def get(self, asked: A) -> asyncio.Future[R]:
        """The result for ``asked``, or what ``read`` raises for the whole group."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, future))
        if self._task is None:
            self._task = asyncio.create_task(self._work())
        return future

    async def _work(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                # Whoever gave up meanwhile (a deadline) need not be read for.
                group = [(asked, future) for asked, future in group if not future.done()]
                if group:
                    await self._answer(group)
        finally:
            self._task = None

    async def _answer(self, group: list[tuple[A, asyncio.Future[R]]]) -> None:
        try:
            work = self._threads.submit(self._read, [asked for asked, _ in group])
            found = await asyncio.wait_for(asyncio.wrap_future(work), self._most_s)
        except Exception as caught:
            error = Unavailable("it took too long; try again") if isinstance(caught, TimeoutError) else caught
            for _, future in group:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), result in zip(group, found, strict=True):
            if not future.done():
                future.set_result(result)
