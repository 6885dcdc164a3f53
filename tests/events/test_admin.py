"""Operators see events, how far consumers are behind, and what got stuck; and can retry it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from apps.events.models import Event, StuckEvent
from apps.events.services.consuming import CONSUMERS, deliver, register
from apps.kernel.clock import utc_now
from tests.admin.test_actions import act
from tests.events.samples import Notebook, happen

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


@pytest.fixture
def client() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root", "", "only-for-tests"))
    return client


@pytest.fixture
def book(monkeypatch) -> Notebook:
    monkeypatch.setitem(CONSUMERS, "notebook", None)
    made = Notebook(lambda event: event.body["what"] == "bad")
    register(made.consumer)
    return made


def text_of(client: Client, page: str, **query: str) -> str:
    answer = client.get(reverse(f"admin:events_{page}_changelist"), query)
    assert answer.status_code == 200
    return answer.content.decode()


def test_consumers_show_how_far_they_are_behind(client, book):
    happen(1, "x", utc_now() - timedelta(minutes=5))
    deliver(utc_now(), [book.consumer])
    happen(1, "y")
    happen(1, "z")
    deliver(utc_now(), [])
    rows = {row["name"]: row for row in _rows(client)}
    assert rows["notebook"]["behind"] == "2"
    assert rows["*relay"]["behind"] == "0"


def _rows(client: Client) -> list[dict[str, str]]:
    answer = client.get(reverse("admin:events_mark_changelist"))
    shown = answer.context["cl"].model_admin
    return [
        {"name": mark.name, "behind": str(shown.behind(mark)), "stuck": str(shown.stuck(mark))}
        for mark in answer.context["cl"].result_list
    ]


def test_events_are_found_by_subject_and_handed_over_once_more(client, book):
    happen(1, "x")
    happen(22, "y")
    deliver(utc_now(), [book.consumer])
    found = text_of(client, "event", q="thing:2")
    assert "thing:22" in found
    assert "thing:1<" not in found

    (told,) = act(client, Event.objects.get(subject="thing:22"), "replay", consumer="notebook")
    assert told == "notebook has handled it once more."
    assert book.seen == [("thing:1", "x"), ("thing:22", "y"), ("thing:22", "y")]


def test_a_stuck_event_is_tried_now_or_given_up(client, book):
    happen(1, "bad")
    happen(1, "behind")
    deliver(utc_now(), [book.consumer])
    first, second = StuckEvent.objects.order_by("event__number")
    assert "ValueError: no good: bad" in text_of(client, "stuckevent")
    assert act(client, first, "retry") == ["Still not: ValueError: no good: bad"]
    act(client, first, "give-up")
    assert act(client, second, "retry") == ["Handled."]
    assert book.seen == [("thing:1", "behind")]
