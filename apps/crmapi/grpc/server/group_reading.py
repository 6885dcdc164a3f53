"""Calls of the same kind done together: those that arrive while others are running. A lone call does not wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Generic, TypeVar

from apps.crmapi.grpc.server.errors import Unavailable
from apps.crmapi.grpc.server.threads import DatabaseThreads

# A statement costs the database as much as ten of its rows; beyond so many, more together gain nothing.
MOST_TOGETHER = 32
# While the database looks for one group, the other is answered.
GROUPS_AT_ONCE = 2

A = TypeVar("A")
F = TypeVar("F")
R = TypeVar("R")


class _Group(Generic[A, R]):
    """Calls that are being read together, until they are answered or given up."""

    def __init__(self, calls: list[tuple[A, asyncio.Future[R]]]) -> None:
        self.calls = calls
        self.timer: asyncio.TimerHandle | None = None
        self.ended = False


class GroupReader(Generic[A, F, R]):
    """``read`` takes a list of requests and carries them out within ``most_s`` seconds, in a thread that may wait.

    ``answer`` makes as many results of that, in the event loop's own thread: two that compute at once would only take
    the GIL from one another. All methods are for that thread, too.
    """

    def __init__(
        self,
        threads: DatabaseThreads,
        read: Callable[[list[A]], F],
        answer: Callable[[F], Sequence[R]],
        most_s: float,
        most: int = MOST_TOGETHER,
    ) -> None:
        self._threads = threads
        self._read = read
        self._answer = answer
        self._most_s = most_s
        self._most = most
        self._waiting: list[tuple[A, asyncio.Future[R]]] = []
        self._being_read = 0
        self._woken = False

    def get(self, asked: A) -> asyncio.Future[R]:
        """The result for ``asked``, or what ``read`` raises for the whole group."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, future))
        self._wake()
        return future

    def _wake(self) -> None:
        if self._waiting and not self._woken:
            # In the loop's next turn: what comes in this one goes along.
            self._woken = True
            asyncio.get_running_loop().call_soon(self._begin)

    def _begin(self) -> None:
        """Begin what may be begun now."""
        self._woken = False
        while len(self._waiting) >= self._most and self._being_read < GROUPS_AT_ONCE:
            self._start()
        # Fewer are begun by themselves only if none is being read: that one wakes us when it ends.
        if self._waiting and not self._being_read:
            self._start()

    def _start(self) -> None:
        taken, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
        # Skip calls whose deadline has passed.
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
            self._most_s,
            self._end,
            group,
            Unavailable(
                "it took too long; the change may have been made: retry with its idempotency key",
                code="deadline_exceeded",
            ),
        )

        def hand_over(done: Future[F]) -> None:
            # The loop may be gone if the group was given up.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._end, group, done.exception(), done)

        work.add_done_callback(hand_over)

    def _end(self, group: _Group[A, R], error: BaseException | None, done: Future[F] | None = None) -> None:
        if group.ended:
            return
        group.ended = True
        if group.timer is not None:
            group.timer.cancel()
        self._being_read -= 1
        results: Sequence[R] = ()
        if error is None and done is not None:
            try:
                results = self._answer(done.result())
            except Exception as caught:
                error = caught
        for place, (_, future) in enumerate(group.calls):
            if future.done():
                continue
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(results[place])
        self._wake()
