"""Events to publish, and a consumer that notes what it is handed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from django.db import transaction

from apps.events.domain.kinds import KINDS, EventKind
from apps.events.models import Event
from apps.events.services.consuming import Consumer
from apps.events.services.publishing import publish

NOW = datetime(2026, 3, 12, 12, tzinfo=UTC)
HAPPENED = KINDS.get("tests.happened") or EventKind(
    "tests.happened", version=1, subject="thing", meaning="Something.", fields={"what": "Which."}
)
del KINDS[HAPPENED.name]


def happen(subject_id: int, what: str, at: datetime = NOW) -> None:
    with transaction.atomic():
        publish([HAPPENED.event(subject_id, at, tenant="default", what=what)])


class Notebook:
    """What a consumer was handed, in its order."""

    def __init__(self, fails: Callable[[Event], bool] = lambda _: False, at_once: int = 1_000) -> None:
        self.seen: list[tuple[str, str]] = []
        self.fails = fails
        self.consumer = Consumer("notebook", (HAPPENED,), self.handle, at_once=at_once)

    def handle(self, events: Sequence[Event], now: datetime) -> None:
        for event in events:
            if self.fails(event):
                raise ValueError(f"no good: {event.body['what']}")
        self.seen += [(event.subject, event.body["what"]) for event in events]
