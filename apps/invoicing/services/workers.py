"""Batches one after the other: in this process, or side by side in several."""

from __future__ import annotations

import multiprocessing
import os
import queue
import sys
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from typing import Any

from django.conf import settings
from django.db import connections

from apps.invoicing.services import claims
from apps.invoicing.services.claims import EVERYTHING, Choice
from apps.invoicing.services.documents import pdf_engine
from apps.invoicing.services.formatter import Clock, Outcome, format_batch
from apps.kernel.errors import BssError


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
    claims.release_of_dead(clock())
    left = limit
    while (left is None or left > 0) and not stop():
        most = settings.INVOICE_BATCH if left is None else min(left, settings.INVOICE_BATCH)
        outcome = format_batch(engine, clock, most=most, choice=choice)
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
    quota = context.Value("q", -1 if limit is None else limit)
    results: Any = context.Queue()

    def begin() -> BaseProcess:
        process: BaseProcess = context.Process(
            target=_work, args=(clock, quota, choice, results, os.getpid()), daemon=True
        )
        process.start()
        return process

    processes = [begin() for _ in range(workers)]
    trouble: BssError | None = None
    try:
        while processes:
            try:
                result = results.get(timeout=0.2)
            except queue.Empty:
                ended = [process for process in processes if not process.is_alive()]
                processes = [process for process in processes if process not in ended]
                if any(process.exitcode for process in ended) and trouble is None:
                    claims.release_of_dead(clock())
                    connections.close_all()
                    processes += [begin() for process in ended if process.exitcode]
                continue
            if isinstance(result, BssError):
                trouble = result
                with quota.get_lock():
                    quota.value = 0
            else:
                yield result
        while not results.empty():
            result = results.get()
            if isinstance(result, Outcome):
                yield result
    finally:
        for process in processes:
            process.terminate()
    if trouble is not None:
        raise trouble


def _work(clock: Clock, quota: Any, choice: Choice, results: Any, parent: int) -> None:
    """One process: batches until nothing is due, the quota is used up, or the parent is gone."""
    if "django.apps" not in sys.modules or multiprocessing.get_start_method(allow_none=True) == "spawn":
        import django

        django.setup()
    try:
        engine = pdf_engine()
        while os.getppid() == parent:
            most = _take(quota, settings.INVOICE_BATCH)
            if not most:
                return
            outcome = format_batch(engine, clock, most=most, choice=choice)
            taken = len(outcome.written) + len(outcome.failed)
            _give_back(quota, most - taken)
            if not taken:
                return
            results.put(outcome)
    except BssError as error:
        results.put(error)
    except KeyboardInterrupt:
        pass
    finally:
        connections.close_all()


def _take(quota: Any, most: int) -> int:
    with quota.get_lock():
        if quota.value < 0:
            return most
        taken = min(quota.value, most)
        quota.value -= taken
        return int(taken)


def _give_back(quota: Any, count: int) -> None:
    with quota.get_lock():
        if quota.value >= 0:
            quota.value += count
