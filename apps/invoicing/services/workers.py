"""Batches one after the other: in this process, or side by side in several."""

from __future__ import annotations

import multiprocessing
import os
import queue
import sys
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing.process import BaseProcess
from typing import Any

from django.conf import settings
from django.db import OperationalError, connections

from apps.invoicing.services import claims
from apps.invoicing.services.claims import EVERYTHING, Choice
from apps.invoicing.services.documents import pdf_engine
from apps.invoicing.services.formatter import Clock, Outcome, format_batch
from apps.kernel.errors import BssError
from apps.storage.retry import Attempts, is_rolled_back, retrying

# For so long a batch may lose against others over locks before its process gives up.
PATIENCE_S = 60.0
_UNLIMITED = -1


def format_bills(
    clock: Clock,
    *,
    limit: int | None = None,
    choice: Choice = EVERYTHING,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[Outcome]:
    """Render what is due, batch by batch, until nothing is, ``limit`` documents were begun, or ``stop()``.

    Raises EngineUnusable before anything is claimed.
    """
    engine = pdf_engine()
    retrying(lambda: claims.release_of_dead(clock()))
    left = limit
    while (left is None or left > 0) and not stop():
        most = settings.INVOICE_BATCH if left is None else min(left, settings.INVOICE_BATCH)
        # A batch that lost a deadlock has given back what it had claimed.
        outcome = retrying(
            partial(format_batch, engine, clock, most=most, choice=choice), patience_s=PATIENCE_S
        )
        taken = len(outcome.written) + len(outcome.failed)
        if not taken:
            return
        if left is not None:
            left -= taken
        yield outcome


def format_bills_in_processes(
    clock: Clock, workers: int, *, limit: int | None = None, choice: Choice = EVERYTHING
) -> Iterator[Outcome]:
    """As :func:`format_bills`, by so many processes. One that dies is replaced: its bills are due again."""
    # Engine, fonts and templates are loaded once; on Linux the processes begin as copies of this one.
    pdf_engine()
    connections.close_all()
    context: Any = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    quota = Quota(context, workers, limit)
    results: Any = context.Queue()

    def begin(number: int) -> BaseProcess:
        process: BaseProcess = context.Process(
            target=_work, args=(clock, quota, number, choice, results, os.getpid()), daemon=True
        )
        process.start()
        return process

    processes = {number: begin(number) for number in range(workers)}
    trouble: BssError | None = None
    try:
        while processes:
            try:
                result = results.get(timeout=0.2)
            except queue.Empty:
                ended = {number: process for number, process in processes.items() if not process.is_alive()}
                processes = {n: process for n, process in processes.items() if n not in ended}
                died = [number for number, process in ended.items() if process.exitcode]
                for number in died:
                    quota.give_back(number)
                if died and trouble is None:
                    claims.release_of_dead(clock())
                    connections.close_all()
                    processes |= {number: begin(number) for number in died}
                continue
            if isinstance(result, BssError):
                trouble = result
                quota.close()
            else:
                yield result
        while not results.empty():
            result = results.get()
            if isinstance(result, Outcome):
                yield result
    finally:
        for process in processes.values():
            process.terminate()
    if trouble is not None:
        raise trouble


class Quota:
    """How many documents the processes may still begin between them, and how many each has taken of it.

    What a process took and did not begin, or died over, goes back.
    """

    def __init__(self, context: Any, workers: int, limit: int | None) -> None:
        self.workers = workers
        self._left = context.Value("q", _UNLIMITED if limit is None else limit)
        self._taken = context.Array("q", workers, lock=False)

    def take(self, worker: int, most: int) -> int:
        """A portion for the worker; towards the end they get smaller, so that all are done at about the same time."""
        with self._left.get_lock():
            if self._left.value == _UNLIMITED:
                return most
            portion = min(self._left.value, most, max(1, self._left.value // (2 * self.workers)))
            self._left.value -= portion
            self._taken[worker] = portion
            return int(portion)

    def give_back(self, worker: int, count: int | None = None) -> None:
        """``count`` of the worker's portion were not begun (None: all of it); the others are done."""
        with self._left.get_lock():
            if self._left.value != _UNLIMITED:
                self._left.value += self._taken[worker] if count is None else count
            self._taken[worker] = 0

    def close(self) -> None:
        """Nothing more is to be begun."""
        with self._left.get_lock():
            self._left.value = 0


def _work(clock: Clock, quota: Quota, number: int, choice: Choice, results: Any, parent: int) -> None:
    """One process: portions until nothing is due, the quota is used up, or the parent is gone."""
    if "django.apps" not in sys.modules or multiprocessing.get_start_method(allow_none=True) == "spawn":
        import django

        django.setup()
    try:
        engine, attempts = pdf_engine(), Attempts(PATIENCE_S)
        while os.getppid() == parent:
            most = quota.take(number, settings.INVOICE_BATCH)
            if not most:
                return
            try:
                outcome = format_batch(engine, clock, most=most, choice=choice)
            except OperationalError as error:
                quota.give_back(number)
                if not is_rolled_back(error) or not attempts.wait_after(error):
                    raise
                continue
            attempts = Attempts(PATIENCE_S)
            taken = len(outcome.written) + len(outcome.failed)
            quota.give_back(number, most - taken)
            if not taken:
                return
            results.put(outcome)
    except BssError as error:
        results.put(error)
    except KeyboardInterrupt:
        pass
    finally:
        connections.close_all()
