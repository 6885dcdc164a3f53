"""The batch executor: group commit of charging requests, from many threads or one event loop.

A writer takes what has queued while the last batch was committing and carries it out in one transaction; answers
are given once that is committed. A lone request is taken at once. While a batch is in flight another is begun
beside it with six queued requests for each in flight, or after 3 ms: a batch costs as much as several requests.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol, TypeVar

from django.conf import settings
from django.db import Error, connection

from apps.charging.domain.charge import digest_of
from apps.charging.domain.requests import ChargingAnswer, OnlineRequest, Result
from apps.charging.services.batch import Poisoned, execute
from apps.charging.services.failures import Failure, keep_failure
from apps.charging.services.lines import Directory
from apps.charging.services.session_memory import SessionMemory
from apps.kernel.clock import utc_now
from apps.kernel.errors import BssError
from apps.rating.selectors import current_tariff
from apps.runtime import metrics
from apps.storage.dialect import has_one_writer
from apps.storage.retry import Attempts, is_rolled_back, may_have_committed

log = logging.getLogger(__name__)

# How many requests a batch wants for each that is in flight already, and how long it waits for them at most. With six
# the database and this process compute a third less at 2,000 requests a second, and answers come no later.
_COMPANY = 6
_WAIT_FOR_COMPANY_S = 0.003


class ChargingUnavailable(BssError):
    """The database could not be reached for as long as we are patient; nothing was charged for sure.

    The same request may be sent again: should it have been charged after all, it gets its answer.
    """

    code = "charging_unavailable"


Reply = ChargingAnswer | ChargingUnavailable


Token_contra = TypeVar("Token_contra", contravariant=True)
Token = TypeVar("Token")


class Sink(Protocol[Token_contra]):
    """Receives the replies of a batch, each with the caller's token, in one call from a writer's thread."""

    def deliver(self, replies: Sequence[tuple[Token_contra, Reply]]) -> None: ...


BATCH_REQUESTS = metrics.histogram(
    "charging_batch_requests", "Requests in one transaction.", buckets=metrics.BATCHES
)
BATCH_SECONDS = metrics.histogram("charging_batch_seconds", "From taking a batch to its commit.")


class Engine:
    """Runs batches in the calling thread, with retries if the database asks for them."""

    def __init__(self) -> None:
        self.directory = Directory()
        self.memory = SessionMemory()
        self.last_moment = float("inf")
        """When patience ends for every request together (by time.monotonic): an executor that stops sets it."""
        self._turn = threading.Lock()

    def forget(self) -> None:
        """Invalidate all caches."""
        self.directory.forget()
        self.memory.clear()

    def run(self, requests: Sequence[OnlineRequest], now: datetime, own_thread: bool = False) -> list[Reply]:
        """The replies to the requests, in their order; every answer is committed.

        A request that breaks its batch is found and answered UNABLE_TO_COMPLY by itself. ``own_thread``: this thread
        does nothing but this.
        """
        attempts = Attempts(float(settings.CHARGING_PATIENCE_S))
        # Callers with a charging thread send many at once, few of them repeats; others send one.
        look_all_up = not own_thread
        while True:
            try:
                rater = current_tariff().rater
                results = execute(
                    requests, now, self.directory, rater, self.memory, self._turn, own_thread, look_all_up
                )
                return [self._reply(result) for result in results]
            except Exception as error:
                lost = may_have_committed(error)
                if not connection.in_atomic_block and (lost or is_rolled_back(error)):
                    if lost:
                        look_all_up = True
                        connection.close()
                    if not attempts.wait_after(error, self.last_moment):
                        log.error("charging gave up: %s", error)
                        return [ChargingUnavailable(f"the database does not answer: {error}")] * len(requests)
                elif look_all_up:
                    return self._one_by_one(requests, now, error, own_thread)
                else:
                    # A request may be a repeat that does not say so: it gets the answer that it had.
                    look_all_up = True

    def _one_by_one(
        self, requests: Sequence[OnlineRequest], now: datetime, error: Exception, own_thread: bool
    ) -> list[Reply]:
        if connection.in_atomic_block:
            raise error
        if len(requests) == 1:
            log.exception("charging request %s failed", requests[0].identity, exc_info=error)
            _keep_failure(requests[0], error, now)
            return [_unable(error)]
        middle = len(requests) // 2
        return self.run(requests[:middle], now, own_thread) + self.run(requests[middle:], now, own_thread)

    @staticmethod
    def _reply(result: ChargingAnswer | Poisoned) -> Reply:
        if isinstance(result, Poisoned):
            log.error("a charging request failed", exc_info=result.error)
            return _unable(result.error)
        return result


def _keep_failure(request: OnlineRequest, error: Exception, now: datetime) -> None:
    try:
        keep_failure(Failure(digest_of(request), request, error), now)
    except Error:
        # The log has it; the caller still gets the answer.
        log.exception("the failure could not be kept")


def _unable(error: Exception) -> ChargingAnswer:
    return ChargingAnswer(
        Result.UNABLE_TO_COMPLY,
        reason="internal_error",
        message=f"{type(error).__name__}: the request could not be carried out; the log says more",
    )


class _Waiting(NamedTuple):
    party: str
    request: OnlineRequest
    sink: Sink[Any]
    token: Any


class BatchExecutor:
    """Queues requests and charges them in batches on writer threads of its own; a context manager.

    Requests of one subscriber are carried out in the order in which they were put in.
    """

    def __init__(
        self,
        *,
        writers: int | None = None,
        batch_size: int | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.engine = Engine()
        self._clock = clock
        self.batch_size = batch_size or settings.CHARGING_BATCH_SIZE
        self.writers = 1 if has_one_writer() else writers or settings.CHARGING_WRITERS
        self._queue: deque[_Waiting] = deque()
        self._waiting_since = 0.0
        self._busy: set[str] = set()
        self._in_flight = 0
        self._wake = threading.Condition()
        self._stopping = False
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> BatchExecutor:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        for number in range(self.writers):
            thread = threading.Thread(target=self._write, name=f"charging-writer-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Finish what has queued, then end the writers; without a database, within the patience of one request."""
        self.engine.last_moment = time.monotonic() + float(settings.CHARGING_PATIENCE_S)
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    @property
    def queued(self) -> int:
        """How many requests wait for a writer now."""
        return len(self._queue)

    def submit(self, requests: Sequence[tuple[OnlineRequest, Token]], sink: Sink[Token]) -> None:
        """Queue requests, each with the caller's token; ``sink`` gets (token, reply) once each is committed.

        Returns at once. Raises ChargingUnavailable, and takes none of them, if the executor is stopping.
        """
        waiting = [
            _Waiting(request.msisdn or request.imsi or request.session_id, request, sink, token)
            for request, token in requests
        ]
        with self._wake:
            if self._stopping:
                raise ChargingUnavailable("the charging executor is stopping; send the request elsewhere")
            if not self._queue:
                self._waiting_since = time.monotonic()
            elif not self._has_company(len(self._queue) + len(waiting)):
                # Another writer waits for a larger batch already.
                self._queue.extend(waiting)
                return
            self._queue.extend(waiting)
            self._wake.notify()

    def _write(self) -> None:
        try:
            while True:
                batch = self._take()
                if not batch:
                    return
                begun = time.monotonic()
                try:
                    replies = self.engine.run([waiting.request for waiting in batch], self._clock(), True)
                except Exception as error:
                    # Never leave a caller without an answer, on any error.
                    log.exception("a charging batch failed")
                    replies = [_unable(error)] * len(batch)
                BATCH_REQUESTS.observe(len(batch))
                BATCH_SECONDS.observe(time.monotonic() - begun)
                self._release(batch)
                self._deliver(batch, replies)
        finally:
            connection.close()

    def _take(self) -> list[_Waiting]:
        """What has queued, up to a batch; requests of a subscriber with a batch in flight stay queued."""
        with self._wake:
            while True:
                left_s = self._waiting_since + _WAIT_FOR_COMPANY_S - time.monotonic()
                if self._queue and (self._stopping or left_s <= 0 or self._has_company(len(self._queue))):
                    left_s = _WAIT_FOR_COMPANY_S
                    if batch := self._collect():
                        self._in_flight += 1
                        if self._queue:
                            self._waiting_since = time.monotonic()
                            self._wake.notify()
                        return batch
                if self._stopping and not self._queue:
                    return []
                self._wake.wait(left_s if self._queue else None)

    def _has_company(self, count: int) -> bool:
        return count >= min(_COMPANY * self._in_flight, self.batch_size)

    def _collect(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        skipped: list[_Waiting] = []
        queue, busy = self._queue, self._busy
        while queue and len(batch) < self.batch_size and len(skipped) < 4 * self.batch_size:
            waiting = queue.popleft()
            (skipped if waiting.party in busy else batch).append(waiting)
        queue.extendleft(reversed(skipped))
        busy.update(waiting.party for waiting in batch)
        return batch

    def _release(self, batch: Sequence[_Waiting]) -> None:
        with self._wake:
            self._busy.difference_update(waiting.party for waiting in batch)
            self._in_flight -= 1
            if self._stopping:
                self._wake.notify_all()
            elif self._queue:
                # Another writer may wait for one of these subscribers.
                self._wake.notify()

    @staticmethod
    def _deliver(batch: Sequence[_Waiting], replies: Sequence[Reply]) -> None:
        by_sink: dict[int, tuple[Sink[Any], list[tuple[Any, Reply]]]] = {}
        for waiting, reply in zip(batch, replies, strict=True):
            by_sink.setdefault(id(waiting.sink), (waiting.sink, []))[1].append((waiting.token, reply))
        for sink, given in by_sink.values():
            try:
                sink.deliver(given)
            except Exception:
                log.exception("answers could not be delivered")


_engine = Engine()


def charge_now(request: OnlineRequest, now: datetime) -> ChargingAnswer:
    """Charge one request in this thread, in a transaction of its own or within the caller's.

    Raises ChargingUnavailable if the database does not answer.
    """
    (reply,) = _engine.run([request], now)
    if isinstance(reply, ChargingUnavailable):
        raise reply
    return reply


def charge_all(requests: Sequence[OnlineRequest], now: datetime) -> list[ChargingAnswer]:
    """As :func:`charge_now` for several requests, in one transaction unless one of them breaks it."""
    replies = _engine.run(requests, now) if requests else []
    for reply in replies:
        if isinstance(reply, ChargingUnavailable):
            raise reply
    return [reply for reply in replies if not isinstance(reply, ChargingUnavailable)]


def forget_directory() -> None:
    """Invalidate this process's numbers, plans and policies; for tests and for doors that changed some."""
    _engine.forget()
