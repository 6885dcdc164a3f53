"""Processes that work for their owner (``concurrent.futures``), never outlive it, and die one by one."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Literal, TypeVar

from apps.runtime.children import die_with
from apps.runtime.start import Role, start

Item = TypeVar("Item")
Result = TypeVar("Result")


def process_pool(
    role: Role, *, method: Literal["spawn", "fork"] = "spawn", needs_django: bool = True
) -> ProcessPoolExecutor:
    """A pool of one process, which begins in this role, leaves Ctrl-C to its owner, and is killed if that dies.

    ``fork`` is for owners that have closed their database connections.
    """
    return ProcessPoolExecutor(
        1,
        mp_context=multiprocessing.get_context(method),
        initializer=_begin,
        initargs=(role, os.getpid(), needs_django),
    )


class Workers:
    """So many processes, each a pool of its own: one that dies takes with it only what it had in hand.

    (A pool of several kills them all if one dies, and their last commits would go unreported.)
    """

    def __init__(self, count: int, new_pool: Callable[[], ProcessPoolExecutor]) -> None:
        self._new_pool = new_pool
        self._idle = [new_pool() for _ in range(count)]
        self._busy: dict[Future[Any], ProcessPoolExecutor] = {}

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        """Tasks in progress are finished."""
        for pool in (*self._idle, *self._busy.values()):
            pool.shutdown()

    def have_room(self) -> bool:
        return bool(self._idle)

    def are_busy(self) -> bool:
        return bool(self._busy)

    def submit(self, function: Callable[..., Result], *arguments: object) -> Future[Result]:
        """Have an idle process call ``function``; only if there is one."""
        pool = self._idle.pop()
        future = pool.submit(function, *arguments)
        self._busy[future] = pool
        return future

    def ended(self) -> set[Future[Any]]:
        """Wait for the next. One whose process died has BrokenProcessPool; a new process takes its place."""
        done, _ = wait(self._busy, return_when=FIRST_COMPLETED)
        for future in done:
            pool = self._busy.pop(future)
            if isinstance(future.exception(), BrokenProcessPool):
                pool.shutdown()
                pool = self._new_pool()
            self._idle.append(pool)
        return done


def results_of(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    count: int,
    new_pool: Callable[[], ProcessPoolExecutor],
) -> Iterator[tuple[Item, Result | None]]:
    """What ``function`` returns for each item, by ``count`` processes, as it comes; None for one whose process died.

    Raises the exceptions of ``function``, once tasks in progress are done.
    """
    left = deque(items)
    asked: dict[Future[Result], Item] = {}
    with Workers(min(count, len(items)), new_pool) as workers:
        while left or workers.are_busy():
            while left and workers.have_room():
                item = left.popleft()
                asked[workers.submit(function, item)] = item
            for future in workers.ended():
                died = isinstance(future.exception(), BrokenProcessPool)
                yield asked.pop(future), None if died else future.result()


def _begin(role: Role, owner: int, needs_django: bool) -> None:
    die_with(owner)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if needs_django:
        import django
        from django.apps import apps

        if not apps.ready:
            django.setup()
    start(role)
