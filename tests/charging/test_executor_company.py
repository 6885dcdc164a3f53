"""When a concurrent batch starts: with enough requests, or after a while; a lone request at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from datetime import datetime

import pytest

from apps.charging.domain.requests import ChargingAnswer, OnlineRequest, Operation, Result
from apps.charging.services import executor as executors
from apps.charging.services.executor import BatchExecutor, Reply
from tests.charging.online import item
from tests.charging.stored import NOW, request, submit
from tests.patience import eventually

LONG_S = 3600.0
_ANSWER = ChargingAnswer(Result.SUCCESS)


class GatedEngine:
    """Holds every batch until its gate is opened; ``batches`` are the numbers of the subscribers in each."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.gates: list[threading.Event] = []
        self.last_moment = 0.0

    def run(self, requests: Sequence[OnlineRequest], now: datetime, own_thread: bool) -> list[Reply]:
        gate = threading.Event()
        self.gates.append(gate)
        self.batches.append([request.msisdn or "" for request in requests])
        assert gate.wait(60)
        return [_ANSWER] * len(requests)

    @property
    def sizes(self) -> list[int]:
        return [len(batch) for batch in self.batches]


class Office:
    """An executor with four writers and such an engine, and requests of as many subscribers as wanted."""

    def __init__(self, **options: int) -> None:
        self.engine = GatedEngine()
        self.executor = BatchExecutor(clock=lambda: NOW, **options)
        self.executor.writers = 4
        self.executor.engine = self.engine  # type: ignore[assignment]
        self.futures: list[Future[ChargingAnswer]] = []

    def ask(self, count: int, of: int | None = None) -> None:
        for _ in range(count):
            number = len(self.futures) + 1
            asked = request(Operation.EVENT, item("sms", 1), session=f"sms-{number}", of=of or number)
            self.futures.append(submit(self.executor, asked))

    def begun(self, *sizes: int) -> None:
        eventually(lambda: self.engine.sizes == [*sizes], f"batches of {sizes}")

    def begins(self, *sizes: int) -> None:
        """As many requests come as the last of these batches holds, and it is begun."""
        self.ask(sizes[-1])
        self.begun(*sizes)

    def open_all(self) -> None:
        for gate in self.engine.gates:
            gate.set()

    def answered(self) -> None:
        def all_done() -> bool:
            self.open_all()
            return all(future.done() for future in self.futures)

        eventually(all_done, "all answers")


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No timeout expires during a test."""
    monkeypatch.setattr(executors, "_WAIT_FOR_COMPANY_S", LONG_S)


@pytest.fixture
def office() -> Iterator[Office]:
    office = Office()
    with office.executor:
        yield office
        office.answered()


def test_a_lone_request_is_taken_at_once(office: Office, patient: None) -> None:
    office.begins(1)


def test_a_batch_beside_one_in_flight_is_begun_with_six_and_a_third_with_twelve(
    office: Office, patient: None
) -> None:
    office.begins(1)
    office.ask(5)
    assert office.executor.queued == 5
    office.ask(1)
    office.begun(1, 6)
    office.ask(11)
    assert office.executor.queued == 11
    office.ask(1)
    office.begun(1, 6, 12)


def test_what_waits_is_taken_when_the_batch_in_flight_ends(office: Office, patient: None) -> None:
    office.begins(1)
    office.ask(3)
    office.engine.gates[0].set()
    office.begun(1, 3)


def test_no_request_waits_long_for_a_batch_that_hangs(office: Office) -> None:
    office.begins(1)
    office.begins(1, 1)
    office.begins(1, 1, 1)


def test_a_full_batch_needs_no_more_company(patient: None) -> None:
    office = Office(batch_size=2)
    with office.executor:
        office.begins(1)
        office.begins(1, 2)
        office.begins(1, 2, 2)
        office.answered()


def test_requests_of_a_subscriber_with_a_batch_in_flight_wait_and_delay_no_others(office: Office) -> None:
    office.ask(1, of=7)
    office.begun(1)
    office.ask(8, of=7)
    office.ask(1, of=8)
    office.begun(1, 1)
    office.engine.gates[0].set()
    office.begun(1, 1, 8)


def test_the_rest_of_a_large_queue_is_taken_by_the_next_writer(patient: None) -> None:
    office = Office(batch_size=4)
    with office.executor:
        office.begins(1)
        waiting = threading.Event()
        sink = _Sink(10, waiting)
        asked = [
            (request(Operation.EVENT, item("sms", 1), session=f"s{n}", of=100 + n), n) for n in range(10)
        ]
        office.executor.submit(asked, sink)
        office.begun(1, 4, 4)
        office.open_all()
        office.begun(1, 4, 4, 2)
        office.open_all()
        assert waiting.wait(60)
        assert sorted(sink.tokens) == list(range(10))


class _Sink:
    def __init__(self, count: int, done: threading.Event) -> None:
        self.tokens: list[int] = []
        self._count, self._done = count, done

    def deliver(self, replies: Sequence[tuple[int, Reply]]) -> None:
        self.tokens += [token for token, _ in replies]
        if len(self.tokens) == self._count:
            self._done.set()


def test_what_waits_for_company_is_charged_before_the_executor_stops(patient: None) -> None:
    office = Office()
    office.executor.start()
    office.begins(1)
    office.ask(3)
    ended = threading.Thread(target=office.executor.stop)
    ended.start()
    office.begun(1, 3)
    office.open_all()
    ended.join(60)
    assert not ended.is_alive()
    office.answered()
