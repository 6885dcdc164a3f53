"""Events reach every consumer after their commit: at least once, in order a subject, with failures at any step."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from django.conf import settings as django_settings
from django.db import OperationalError, connection, transaction
from django.db.transaction import TransactionManagementError
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.events.models import Event, Mark, StuckEvent
from apps.events.services.consuming import CONSUMERS, deliver, register, replay
from apps.events.services.keeping import forget_events
from apps.events.services.publishing import publish
from apps.events.services.relay import RELAY, newest_number, relay
from tests.events.samples import HAPPENED, NOW, Notebook, happen

pytestmark = pytest.mark.django_db


def test_an_event_is_delivered_once_with_its_published_content():
    book = Notebook()
    happen(7, 'it\'s a \\ "test" of 100%')
    for _ in range(3):
        deliver(NOW, [book.consumer])
    assert book.seen == [("thing:7", 'it\'s a \\ "test" of 100%')]
    event = Event.objects.get()
    assert (event.kind, event.version, event.tenant, event.at, event.number) == (
        "tests.happened",
        1,
        "default",
        NOW,
        1,
    )


def test_what_is_rolled_back_never_happened():
    book = Notebook()

    with transaction.atomic():
        publish([HAPPENED.event(1, NOW, what="lost")])
        transaction.set_rollback(True)
    happen(1, "kept")
    deliver(NOW, [book.consumer])
    assert book.seen == [("thing:1", "kept")]


@pytest.mark.django_db(transaction=True)
def test_an_event_outside_of_a_transaction_is_refused():
    with pytest.raises(TransactionManagementError):
        publish([HAPPENED.event(1, NOW, what="alone")])
    assert not Event.objects.exists()


def test_an_event_has_all_fields_of_its_kind_and_no_others():
    for body in ({}, {"what": "x", "why": "y"}):
        with pytest.raises(TypeError, match="has the fields"):
            HAPPENED.event(1, NOW, **body)


def test_each_consumer_has_a_mark_of_its_own_and_begins_with_the_oldest_event():
    first, second = Notebook(), Notebook()
    other = type(second.consumer)("other", (HAPPENED,), second.handle)
    happen(1, "a")
    deliver(NOW, [first.consumer])
    happen(1, "b")
    deliver(NOW, [first.consumer, other])
    assert first.seen == second.seen == [("thing:1", "a"), ("thing:1", "b")]


def test_more_events_than_are_handed_over_at_once_all_come_in_their_order():
    book = Notebook(at_once=3)
    for number in range(10):
        happen(number % 2, str(number))
    assert deliver(NOW, [book.consumer]) == 10
    assert [what for _, what in book.seen] == [str(number) for number in range(10)]


def test_a_consumer_that_fails_over_one_subject_goes_on_with_the_others_and_is_tried_again():
    book = Notebook(lambda event: event.body["what"] == "bad")
    happen(1, "bad")
    happen(1, "behind it")
    happen(2, "other")
    deliver(NOW, [book.consumer])
    assert book.seen == [("thing:2", "other")]
    assert list(StuckEvent.objects.order_by("pk").values_list("error", flat=True)) == [
        "ValueError: no good: bad",
        "waits for an earlier event of its subject",
    ]
    happen(1, "later still")
    deliver(NOW, [book.consumer])
    assert book.seen == [("thing:2", "other")]

    book.fails = lambda _: False
    deliver(NOW + timedelta(hours=2), [book.consumer])
    assert book.seen == [
        ("thing:2", "other"),
        ("thing:1", "bad"),
        ("thing:1", "behind it"),
        ("thing:1", "later still"),
    ]
    assert not StuckEvent.objects.exists()


def test_an_event_that_stays_stuck_is_tried_less_and_less_often():
    book = Notebook(lambda _: True)
    happen(1, "bad")
    at = NOW
    waits = []
    for _ in range(14):
        deliver(at, [book.consumer])
        stuck = StuckEvent.objects.get()
        waits.append(stuck.retry_at - at)
        at = stuck.retry_at
    assert waits == sorted(waits)
    assert waits[-1] == timedelta(hours=1)
    assert stuck.attempts == 13


def test_a_consumer_that_fails_does_not_hold_up_the_others():
    broken, book = Notebook(lambda _: True), Notebook()
    other = type(book.consumer)("other", (HAPPENED,), book.handle)
    happen(1, "x")
    deliver(NOW, [broken.consumer, other])
    assert book.seen == [("thing:1", "x")]


@pytest.mark.parametrize("number", [1054, 1205])
def test_a_consumer_whose_database_errors_never_end_does_not_hold_up_the_others(number: int) -> None:
    """1054: a column that is not there (Django: OperationalError). 1205: a lock that is never released."""

    def fail(events: Sequence[Event], now: datetime) -> None:
        raise OperationalError(number, "as the database says")

    book = Notebook()
    broken = type(book.consumer)("broken", (HAPPENED,), fail)
    happen(1, "x")
    deliver(NOW, [broken, book.consumer])
    assert book.seen == [("thing:1", "x")]
    stuck = list(StuckEvent.objects.values_list("consumer", flat=True))
    assert stuck == (["broken"] if number == 1054 else []), "what passes is tried again whole"


def test_any_pattern_of_failures_loses_nothing_doubles_nothing_and_keeps_each_subjects_order():
    @given(
        st.lists(st.tuples(st.integers(1, 3), st.integers(0, 3)), min_size=1, max_size=12),
        st.integers(1, 4),
        st.data(),
    )
    @settings(max_examples=60, deadline=None)
    def holds(happenings: list[tuple[int, int]], at_once: int, data: st.DataObject) -> None:
        StuckEvent.objects.all().delete()
        Event.objects.all().delete()
        Mark.objects.all().delete()
        left = [failures for _, failures in happenings]

        def fails(event: Event) -> bool:
            place = int(event.body["what"])
            left[place] -= 1
            return left[place] >= 0

        book = Notebook(fails, at_once)
        at = NOW
        for place, (subject, _) in enumerate(happenings):
            happen(subject, str(place))
            if data.draw(st.booleans()):
                deliver(at, [book.consumer])
                at += timedelta(seconds=data.draw(st.sampled_from([0, 1, 3_600])))
        for _ in range(60):
            deliver(at, [book.consumer])
            at += timedelta(hours=2)
        assert sorted(book.seen) == sorted((f"thing:{s}", str(n)) for n, (s, _) in enumerate(happenings))
        by_subject: dict[str, list[int]] = defaultdict(list)
        for subject, what in book.seen:
            by_subject[subject].append(int(what))
        assert all(order == sorted(order) for order in by_subject.values())

    holds()


@pytest.mark.mariadb_only
@pytest.mark.django_db(transaction=True)
def test_any_order_of_commits_loses_nothing_and_keeps_each_subjects_order():
    """Three writers at once; each holds a subject from its first event of it until its end, as under its row's lock."""
    writers = [connection.copy() for _ in range(3)]
    insert = (
        "INSERT INTO events_event (kind, version, tenant, subject, body, at)"
        " VALUES ('tests.happened', 1, '', %s, %s, '2026-03-12 12:00:00')"
    )
    step = st.tuples(
        st.sampled_from(["publish", "publish", "publish", "commit", "rollback", "deliver"]),
        st.integers(0, 2),
        st.integers(1, 3),
    )

    @given(st.lists(step, max_size=25))
    @settings(max_examples=40, deadline=None)
    def holds(steps: list[tuple[str, int, int]]) -> None:
        Event.objects.all().delete()
        Mark.objects.all().delete()
        book = Notebook()
        holder: dict[int, int] = {}
        open_ones: dict[int, list[tuple[int, int]]] = {0: [], 1: [], 2: []}
        committed: dict[int, list[int]] = defaultdict(list)

        def end(writer: int, how: str) -> None:
            getattr(writers[writer], how)()
            for subject, what in open_ones[writer]:
                if how == "commit":
                    committed[subject].append(what)
                holder.pop(subject, None)
            open_ones[writer] = []

        for number, (what, writer, subject) in enumerate(steps):
            if what == "deliver":
                deliver(NOW, [book.consumer])
            elif what != "publish":
                end(writer, what)
            elif holder.setdefault(subject, writer) == writer:
                with writers[writer].cursor() as cursor:
                    cursor.execute(insert, [f"thing:{subject}", f'{{"what": "{number}"}}'])
                open_ones[writer].append((subject, number))
        for writer in range(3):
            end(writer, "commit")
        deliver(NOW, [book.consumer])
        for subject in (1, 2, 3):
            seen = [int(what) for about, what in book.seen if about == f"thing:{subject}"]
            assert seen == committed[subject]

    for writer in writers:
        writer.ensure_connection()
        writer.set_autocommit(False)
    try:
        holds()
    finally:
        for writer in writers:
            writer.rollback()
            writer.close()


@pytest.mark.django_db(transaction=True)
def test_processes_that_deliver_at_once_hand_every_event_over_once():
    book = Notebook(at_once=5)
    for number in range(40):
        happen(number % 4, str(number))
    errors = []

    def run() -> None:
        try:
            deliver(NOW, [book.consumer])
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    deliver(NOW, [book.consumer])
    assert [int(what) for _, what in book.seen] == list(range(40))
    assert sorted(Event.objects.values_list("number", flat=True)) == list(range(1, 41))


def test_events_are_kept_until_all_have_handled_them_and_then_for_some_days(monkeypatch):
    book = Notebook()
    monkeypatch.setattr("apps.events.services.consuming.CONSUMERS", {})
    monkeypatch.setattr("apps.events.services.keeping.CONSUMERS", {"notebook": book.consumer})
    happen(1, "old")
    later = NOW + timedelta(days=django_settings.EVENTS_KEPT_DAYS, seconds=1)
    relay()
    assert forget_events(later) == 0, "no consumer has handled it"
    book.fails = lambda event: event.body["what"] == "stuck"
    happen(2, "stuck")
    deliver(NOW, [book.consumer])
    happen(1, "young", later)
    deliver(later, [book.consumer])
    Mark.objects.create(name="a consumer that is no more", number=0)
    assert forget_events(later) == 1
    assert [event.body["what"] for event in Event.objects.order_by("pk")] == ["stuck", "young"]
    assert set(Mark.objects.values_list("name", flat=True)) == {RELAY, "notebook"}
    happen(1, "next")
    deliver(later, [book.consumer])
    assert newest_number() == 4, "numbers go on after a purge"
    assert book.seen[-1] == ("thing:1", "next")


def test_a_consumer_of_a_newer_version_is_not_begun_from_the_oldest_event_by_an_older_process(monkeypatch):
    new = Notebook(lambda event: event.body["what"] == "stuck")
    happen(1, "seen")
    happen(2, "stuck")
    deliver(NOW, [new.consumer])
    monkeypatch.setattr("apps.events.services.keeping.CONSUMERS", {})
    forget_events(NOW + timedelta(hours=1))
    new.fails = lambda _: False
    deliver(NOW + timedelta(hours=1), [new.consumer])
    assert new.seen == [("thing:1", "seen"), ("thing:2", "stuck")]

    forget_events(NOW + timedelta(days=django_settings.EVENTS_KEPT_DAYS, hours=2))
    assert not Mark.objects.filter(name="notebook").exists()


def test_a_consumer_whose_own_process_does_not_run_keeps_events_for_some_days_only(monkeypatch):
    own = replace(Notebook().consumer, by_itself=True)
    monkeypatch.setattr("apps.events.services.keeping.CONSUMERS", {"notebook": own})
    happen(1, "old")
    relay()
    assert forget_events(NOW + timedelta(days=django_settings.EVENTS_KEPT_DAYS)) == 0
    assert forget_events(NOW + timedelta(days=django_settings.EVENTS_KEPT_DAYS, seconds=1)) == 1


def test_an_operator_may_have_an_event_handled_once_more(monkeypatch):
    book = Notebook()
    monkeypatch.setattr("apps.events.services.consuming.CONSUMERS", dict(CONSUMERS))
    register(book.consumer)
    happen(1, "x")
    deliver(NOW, [book.consumer])
    replay(Event.objects.get(), book.consumer, NOW)
    assert book.seen == [("thing:1", "x")] * 2
