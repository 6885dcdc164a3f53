"""Tariff drafts that did not go live when they were due become notifications."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from apps.billing.services.notifications import notify
from apps.events.models import Event
from apps.events.services.consuming import Consumer, register
from apps.rating.domain.published import TARIFF_DRAFT_HELD


def announce_held_drafts(events: Sequence[Event], now: datetime) -> None:
    """Leave an error for each."""
    for event in events:
        reason = event.body["reason"]
        notify(f"Tariff draft {event.body['draft_id']} is due and not live: {reason}", now, level="error")


NOTICES = Consumer("draft-notices", (TARIFF_DRAFT_HELD,), announce_held_drafts)


def register_consumer() -> None:
    register(NOTICES)
