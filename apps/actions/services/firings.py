"""Triggers that fired and ask for a group of actions get it, once for each firing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from apps.actions.services.groups import find_group
from apps.actions.services.running import Wanted, carry_out
from apps.charging.domain.published import TRIGGER_FIRED
from apps.charging.models import Account
from apps.events.models import Event
from apps.events.services.consuming import Consumer
from apps.events.services.consuming import register as register_consumer


def carry_out_firings(events: Sequence[Event], now: datetime) -> None:
    """Carry out what the firings ask for. Raises NotFound for an unknown group: the event then waits for it."""
    asking = [event for event in events if event.body.get("actions")]
    accounts = Account.objects.select_related("tenant").in_bulk(
        {event.body["account_id"] for event in asking}
    )
    carry_out(
        [
            Wanted(
                event.body["account_id"],
                find_group(accounts[event.body["account_id"]].tenant, event.body["actions"]).pk,
                f"firing:{event.body['firing_id']}",
                event.at,
            )
            for event in asking
        ],
        now,
    )


FIRINGS = Consumer("trigger-actions", (TRIGGER_FIRED,), carry_out_firings, at_once=200)


def register() -> None:
    """Have the actions of firings carried out."""
    register_consumer(FIRINGS)
