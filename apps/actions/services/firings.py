"""Triggers that fired and ask for a group of actions get it, once for each firing.

Charging carries the group out in the transaction that made the trigger fire, asking :func:`actions_of`; what it could
not do is done, or kept as refused, when the firing arrives as an event, under the same key.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from apps.actions.services.groups import compiled_groups, find_group
from apps.actions.services.running import Wanted, carry_out
from apps.charging.domain.balance_actions import Action
from apps.charging.domain.published import TRIGGER_FIRED
from apps.charging.models import Account, TriggerFiring
from apps.charging.services.balance_actions import add_action_source
from apps.events.models import Event
from apps.events.services.consuming import Consumer
from apps.events.services.consuming import register as register_consumer
from apps.kernel.errors import InvalidInput, NotFound
from apps.rating.models import Tenant


def actions_of(tenant: str, code: str) -> tuple[Action, ...] | None:
    """The actions of a group for accounts of the tenant; None if there is no such group. Raises InvalidInput."""
    owner = Tenant.objects.get(code=tenant)
    try:
        group = find_group(owner, code)
    except NotFound:
        return None
    actions = compiled_groups([group.pk], [owner.pk])[group.pk, owner.pk]
    if isinstance(actions, InvalidInput):
        raise actions
    return actions


def carry_out_firings(events: Sequence[Event], now: datetime) -> None:
    """Carry out what the firings ask for, once. Raises NotFound for an unknown group: the event then waits for it.

    An event may come again, or late, when answers are not kept any more: the firing's row says that it is done.
    """
    asked = {event.body["firing_id"]: event for event in events if event.body.get("actions")}
    waiting = TriggerFiring.objects.select_for_update().filter(pk__in=asked, acted_at=None).order_by("pk")
    asking = [asked[pk] for pk in waiting.values_list("pk", flat=True)]
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
    waiting.update(acted_at=now)


FIRINGS = Consumer("trigger-actions", (TRIGGER_FIRED,), carry_out_firings, at_once=200)


def register() -> None:
    """Have the actions of firings carried out."""
    add_action_source(actions_of)
    register_consumer(FIRINGS)
