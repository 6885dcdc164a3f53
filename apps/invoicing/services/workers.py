"""Batches one after the other: in this process, or side by side in several."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from functools import partial

from django.conf import settings
from django.db import connections

from apps.invoicing.services import claims
from apps.invoicing.services.claims import EVERYTHING, Choice
from apps.invoicing.services.documents import pdf_engine
from apps.invoicing.services.formatter import Clock, Outcome, format_batch
from apps.kernel.errors import BssError
from apps.runtime.pool import Workers, process_pool
from apps.runtime.start import Role
from apps.storage.retry import retrying

# For so long a batch may lose against others over locks before its process gives up.
PATIENCE_S = 60.0


def format_bills(
    clock: Clock,
    *,
    limit: int | None = None,
    choice: Choice = EVERYTHING,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[Outcome]:
    """Render due bills, batch by batch, until none is left, ``limit`` documents were begun, or ``stop()``.

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
    """As :func:`format_bills`, by so many processes. If one dies, its claims are due again."""
    # Engine, fonts and templates are loaded once; on Linux the processes begin as copies of this one.
    pdf_engine()
    new_pool = partial(process_pool, Role.FORMATTER, method="fork" if sys.platform == "linux" else "spawn")
    quota, trouble, some_due = Quota(limit, workers), None, True
    portions: dict[Future[Outcome], int] = {}
    with Workers(workers, new_pool) as processes:
        while True:
            connections.close_all()
            while some_due and processes.have_room() and (most := quota.take(settings.INVOICE_BATCH)):
                portions[processes.submit(_format, clock, most, choice)] = most
            if not processes.are_busy():
                break
            one_died = False
            for future in processes.ended():
                portion = portions.pop(future)
                try:
                    outcome = future.result()
                except BrokenProcessPool:
                    quota.give_back(portion)
                    claims.release_of_dead(clock())
                    one_died = True
                except BssError as error:
                    trouble = error
                    quota.close()
                else:
                    taken = len(outcome.written) + len(outcome.failed)
                    quota.give_back(portion - taken)
                    if taken:
                        yield outcome
                    else:
                        some_due = False
            # Its claims are due again, also where another process has found nothing to do meanwhile.
            some_due = some_due or one_died
    if trouble is not None:
        raise trouble


class Quota:
    """How many documents may still be begun, dealt out in portions. What a portion did not begin goes back."""

    def __init__(self, limit: int | None, workers: int) -> None:
        self._left = limit
        self._workers = workers
        self._closed = False

    def take(self, most: int) -> int:
        """A portion; towards the end they get smaller, so that all workers are done at about the same time."""
        if self._closed:
            return 0
        if self._left is None:
            return most
        portion = min(self._left, most, max(1, self._left // (2 * self._workers)))
        self._left -= portion
        return portion

    def give_back(self, count: int) -> None:
        if self._left is not None:
            self._left += count

    def close(self) -> None:
        """Nothing more is to be begun."""
        self._closed = True


def _format(clock: Clock, most: int, choice: Choice) -> Outcome:
    return retrying(
        partial(format_batch, pdf_engine(), clock, most=most, choice=choice), patience_s=PATIENCE_S
    )
