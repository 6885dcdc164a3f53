"""Reads of the same kind answered together: those that came while others were read. A lone one waits for nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Generic, TypeVar

from apps.crmapi.server.errors import Unavailable
from apps.crmapi.server.threads import DatabaseThreads

MOST_TOGETHER = 128
# A statement costs the database as much as ten of its rows. Where calls keep coming, the first of them waits until so
# many are there, or until a turn of the loop brought none.
WORTH_A_GROUP = 32
# While the database looks for one group, another is answered.
GROUPS_AT_ONCE = 2

A = TypeVar("A")
R = TypeVar("R")


class _Group(Generic[A, R]):
    """Calls that are being read together, until they are answered or given up."""

    def __init__(self, calls: list[tuple[A, asyncio.Future[R]]]) -> None:
        self.calls = calls
        self.timer: asyncio.TimerHandle | None = None
        self.ended = False


class GroupReader(Generic[A, R]):
    """``read`` takes a list and gives as many results within ``most_s`` seconds. Used by one event loop's thread."""

    def __init__(
        self,
        threads: DatabaseThreads,
        read: Callable[[list[A]], Sequence[R]],
        most_s: float,
        most: int = MOST_TOGETHER,
        worth: int = WORTH_A_GROUP,
    ) -> None:
        self._threads = threads
        self._read = read
        self._most_s = most_s
        self._most = most
        self._worth = worth
        self._waiting: list[tuple[A, asyncio.Future[R]]] = []
        self._being_read = 0
        self._scheduled = False
        self._seen = 0

    def get(self, asked: A) -> asyncio.Future[R]:
        """The result for ``asked``, or what ``read`` raises for the whole group."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, future))
        self._wake()
        return future

    def _wake(self) -> None:
        if self._waiting and not self._scheduled:
            self._seen = 0
            self._schedule()

    def _schedule(self) -> None:
        self._scheduled = True
        asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        """Begin what may be begun in this turn of the loop."""
        self._scheduled = False
        while len(self._waiting) >= self._worth and self._being_read < GROUPS_AT_ONCE:
            self._start()
        if not self._waiting or self._being_read:
            # The group that is being read wakes us when it ends.
            return
        if len(self._waiting) > self._seen:
            self._seen = len(self._waiting)
            self._schedule()
        else:
            self._start()

    def _start(self) -> None:
        taken, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
        # Whoever gave up meanwhile (a deadline) need not be read for.
        group = _Group([call for call in taken if not call[1].done()])
        if not group.calls:
            self._wake()
            return
        loop = asyncio.get_running_loop()
        self._being_read += 1
        try:
            work = self._threads.submit(self._read, [asked for asked, _ in group.calls])
        except RuntimeError as error:
            # The threads were stopped.
            self._end(group, error)
            return
        group.timer = loop.call_later(
            self._most_s, self._end, group, Unavailable("it took too long; try again")
        )

        def hand_over(done: Future[Sequence[R]]) -> None:
            # The loop may be gone if the group was given up.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._end, group, done.exception(), done)

        work.add_done_callback(hand_over)

    def _end(
        self, group: _Group[A, R], error: BaseException | None, done: Future[Sequence[R]] | None = None
    ) -> None:
        if group.ended:
            return
        group.ended = True
        if group.timer is not None:
            group.timer.cancel()
        self._being_read -= 1
        if error is None and done is not None:
            for (_, future), result in zip(group.calls, done.result(), strict=True):
                if not future.done():
                    future.set_result(result)
        elif error is not None:
            for _, future in group.calls:
                if not future.done():
                    future.set_exception(error)
        self._wake()
