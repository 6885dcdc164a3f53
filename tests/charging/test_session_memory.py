"""Sessions that a process remembers: believed only where the row is still the one that it wrote."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from apps.charging.domain.answers import answer_from_text, answer_to_text
from apps.charging.domain.requests import (
    AnswerItem,
    ChargingAnswer,
    FinalUnit,
    FinalUnitAction,
    OnlineRequest,
    Operation,
    Result,
)
from apps.charging.domain.sessions import Meter
from apps.charging.models import ChargingSession, FailedRequest, Reservation
from apps.charging.services import batch, session_memory
from apps.charging.services.batch_writing import Writing
from apps.charging.services.executor import Engine, Reply
from apps.charging.services.rows import meters_from_text, meters_to_text
from apps.charging.services.session_memory import Mark, SessionMemory
from apps.subscribers.models import ResourceAssignment
from tests.charging.online import MIB, item
from tests.charging.stored import NOW, assert_books_are_right, default_balance, make_prepaid, request

AWKWARD = 'it\'s a \\ "session" ü\n%d %s;1'


def data(asked_mib: int | None, used_mib: int = 0, group: int = 7):  # type: ignore[no-untyped-def]
    return item("data", asked_mib and asked_mib * MIB, used_mib * MIB, rating_group=group)


@pytest.mark.django_db(transaction=True)
def test_two_processes_may_take_turns_at_one_session() -> None:
    make_prepaid()
    here, there = Engine(), Engine()
    opening = request(Operation.INITIATE, data(10), session=AWKWARD)
    for number, (engine, asked) in enumerate(
        [
            (here, opening),
            (there, request(Operation.UPDATE, data(20, 8), session=AWKWARD, number=1)),
            (here, request(Operation.UPDATE, data(10, 3), data(5, group=8), session=AWKWARD, number=2)),
            (there, request(Operation.UPDATE, data(None, 2), session=AWKWARD, number=3)),
            (here, request(Operation.TERMINATE, data(None, 1, group=8), session=AWKWARD, number=4)),
        ]
    ):
        (answer,) = engine.run([asked], NOW + timedelta(seconds=number))
        assert isinstance(answer, ChargingAnswer)
        assert answer.result is Result.SUCCESS
        assert_books_are_right()
    assert default_balance().amount_micros == 1_000_000 - 140_000
    session = ChargingSession.objects.get()
    assert (session.session_id, session.status, session.last_number) == (AWKWARD, "closed", 4)
    assert not Reservation.objects.exists()
    assert not len(here.memory)


def by_its_own_thread(engine: Engine, *asked: OnlineRequest) -> list[ChargingAnswer]:
    """The answers of an engine whose thread does nothing else: it looks for those only that are said to be there."""

    def charge() -> list[Reply]:
        try:
            return engine.run(asked, NOW, own_thread=True)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as thread:
        replies = thread.submit(charge).result()
    return [reply for reply in replies if isinstance(reply, ChargingAnswer)]


SAYS_SO = pytest.mark.parametrize(
    "says_so", [True, False], ids=["a repeat that says so", "one that does not"]
)


@pytest.mark.django_db(transaction=True)
@SAYS_SO
def test_a_repeat_is_answered_alike_by_a_process_that_missed_the_first(says_so: bool) -> None:
    make_prepaid()
    here, there = Engine(), Engine()
    by_its_own_thread(here, request(Operation.INITIATE, data(10)))
    asked = request(Operation.UPDATE, data(20, 8), number=1)
    (first,) = by_its_own_thread(there, asked)
    by_its_own_thread(there, request(Operation.UPDATE, data(20, 8), number=2))
    (again,) = by_its_own_thread(here, asked._replace(repeated=says_so))
    assert again == first._replace(replayed=True)
    assert default_balance().amount_micros == 1_000_000 - 160_000
    assert_books_are_right()


@pytest.mark.django_db(transaction=True)
@SAYS_SO
def test_a_repeat_among_others_is_answered_alike_and_they_are_charged_once(says_so: bool) -> None:
    make_prepaid()
    engine = Engine()
    texts = [request(Operation.EVENT, item("sms", 1), session=f"text-{number}") for number in range(5)]
    first = by_its_own_thread(engine, *texts[:2])
    again = by_its_own_thread(engine, texts[2], texts[1]._replace(repeated=says_so), *texts[3:])
    assert [answer.replayed for answer in again] == [False, True, False, False]
    assert again[1] == first[1]._replace(replayed=True)
    assert default_balance().amount_micros == 1_000_000 - 5 * 50_000
    assert_books_are_right()


@pytest.mark.django_db(transaction=True)
@SAYS_SO
def test_a_repeat_is_answered_alike_after_the_number_was_given_up(says_so: bool) -> None:
    make_prepaid()
    text = request(Operation.EVENT, item("sms", 1))
    (first,) = by_its_own_thread(Engine(), text)
    ResourceAssignment.objects.update(end=NOW - timedelta(seconds=1))
    (stranger,) = by_its_own_thread(Engine(), text._replace(session_id="another text"))
    (again,) = by_its_own_thread(Engine(), text._replace(repeated=says_so))
    assert stranger.result is Result.UNKNOWN_USER
    assert again == first._replace(replayed=True)


@pytest.mark.django_db(transaction=True)
@SAYS_SO
@pytest.mark.parametrize("fails", ["charge", "store_new_rows"])
def test_a_repeat_that_fails_is_answered_alike_and_is_no_failed_request(
    monkeypatch: pytest.MonkeyPatch, says_so: bool, fails: str
) -> None:
    make_prepaid()
    engine = Engine()
    by_its_own_thread(engine, request(Operation.INITIATE, data(10)))
    asked = request(Operation.UPDATE, data(20, 8), number=1)
    (first,) = by_its_own_thread(engine, asked)
    real = getattr(batch, fails)

    def failing(*arguments: Any) -> Any:
        """Charging a repeat again, and writing the result, may go wrong."""
        about = arguments[1]
        if about == asked._replace(repeated=says_so) or (isinstance(about, Writing) and about.answers):
            raise LookupError("a fault of ours")
        return real(*arguments)

    monkeypatch.setattr(batch, fails, failing)
    (again,) = by_its_own_thread(engine, asked._replace(repeated=says_so))
    assert again == first._replace(replayed=True)
    assert not FailedRequest.objects.exists()
    assert default_balance().amount_micros == 1_000_000 - 80_000
    assert_books_are_right()


@pytest.mark.django_db(transaction=True)
@SAYS_SO
def test_the_repeat_of_a_sessions_end_is_answered_alike(says_so: bool) -> None:
    make_prepaid()
    engine = Engine()
    by_its_own_thread(engine, request(Operation.INITIATE, data(10)))
    ending = request(Operation.TERMINATE, data(None, 4), number=1)
    (first,) = by_its_own_thread(engine, ending)
    (again,) = by_its_own_thread(engine, ending._replace(repeated=says_so))
    assert first.result is Result.SUCCESS
    assert again == first._replace(replayed=True)
    assert default_balance().amount_micros == 1_000_000 - 40_000


@pytest.mark.django_db(transaction=True)
@SAYS_SO
def test_a_request_that_comes_after_a_later_one_is_charged_and_repeated_alike(says_so: bool) -> None:
    make_prepaid()
    engine = Engine()
    by_its_own_thread(engine, request(Operation.INITIATE, data(10)))
    by_its_own_thread(engine, request(Operation.UPDATE, data(20, 8), number=2))
    overtaken = request(Operation.UPDATE, data(20, 3), number=1)
    (first,) = by_its_own_thread(engine, overtaken)
    (again,) = by_its_own_thread(engine, overtaken._replace(repeated=says_so))
    assert not first.replayed
    assert again == first._replace(replayed=True)
    assert default_balance().amount_micros == 1_000_000 - 110_000


@pytest.mark.django_db(transaction=True)
@SAYS_SO
@pytest.mark.parametrize("first", ["an update that overtakes", "an event under its id", "a second opening"])
def test_an_answer_given_without_the_session_is_the_same_within_it(first: str, says_so: bool) -> None:
    make_prepaid()
    engine, opening = Engine(), request(Operation.INITIATE, data(10))
    update = request(Operation.UPDATE, data(20, 8), number=1)
    earlier = {
        "an update that overtakes": update,
        "an event under its id": request(Operation.EVENT, item("sms", 1), number=1),
        "a second opening": request(Operation.INITIATE, data(10), number=1),
    }[first]
    order = [opening, earlier] if first == "a second opening" else [earlier, opening]
    given = {asked.number: by_its_own_thread(engine, asked)[0] for asked in order}
    left = default_balance().amount_micros
    (again,) = by_its_own_thread(engine, update._replace(repeated=says_so))
    assert again == given[1]._replace(replayed=True)
    assert default_balance().amount_micros == left
    assert_books_are_right()


@pytest.mark.django_db(transaction=True)
def test_a_rolled_back_session_is_not_cached() -> None:
    make_prepaid()
    engine = Engine()
    engine.run([request(Operation.INITIATE, data(10))], NOW)
    with transaction.atomic():
        engine.run([request(Operation.UPDATE, data(50, 9), number=1)], NOW)
        transaction.set_rollback(True)
    engine.run([request(Operation.TERMINATE, data(None, 4), number=1)], NOW)
    assert default_balance().amount_micros == 960_000
    assert_books_are_right()


@pytest.mark.django_db(transaction=True)
def test_an_unchanged_hold_is_not_written_again_and_stays() -> None:
    make_prepaid()
    engine = Engine()
    engine.run([request(Operation.INITIATE, data(10))], NOW)
    (row,) = Reservation.objects.all()
    engine.run([request(Operation.UPDATE, data(10, 10), number=1)], NOW)
    assert Reservation.objects.get() == row
    assert_books_are_right()


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_memory, "MOST_REMEMBERED", 3)
    memory = SessionMemory()
    for number in range(10):
        memory.remember(str(number), Mark(number, 0), None)  # type: ignore[arg-type]
        assert len(memory) <= 3


codes = st.text(max_size=8)
counts = st.integers(-(2**62), 2**62)
maybe = st.none() | st.integers(0, 2**32)
instants = st.datetimes(
    min_value=NOW.replace(tzinfo=None), max_value=NOW.replace(year=2100, tzinfo=None), timezones=st.just(UTC)
)
items = st.builds(
    AnswerItem,
    codes,
    st.sampled_from(Result),
    maybe,
    maybe,
    st.sampled_from(("", "voice", "data")),
    maybe,
    st.none() | st.builds(FinalUnit, st.sampled_from(FinalUnitAction), codes, st.lists(codes).map(tuple)),
    counts,
    counts,
    counts,
    maybe,
    counts,
    st.none() | instants,
    codes,
)
answers = st.builds(
    ChargingAnswer,
    st.sampled_from(Result),
    st.lists(items, max_size=3).map(tuple),
    maybe,
    maybe,
    st.sampled_from(("", "EUR")),
    counts,
    counts,
    st.none() | st.booleans(),
    counts,
    codes,
    codes,
)


@given(answers)
def test_an_answer_comes_back_from_its_text(answer: ChargingAnswer) -> None:
    text = answer_to_text(answer)
    assert answer_from_text(text) == answer._replace(replayed=True)
    assert text == json.dumps(json.loads(text), separators=(",", ":"), ensure_ascii=False)


@given(
    st.lists(
        st.builds(
            Meter, codes, maybe, maybe, codes, instants, instants, counts, counts, codes, counts, counts,
            st.just(()), st.none() | instants, counts, counts, counts, counts,
            st.lists(st.tuples(counts, counts, counts, counts), max_size=2).map(tuple),
        )
    ).map(tuple)
)  # fmt: skip
def test_meters_come_back_from_their_text(meters: tuple[Meter, ...]) -> None:
    assert meters_from_text(meters_to_text(meters), {}) == meters
