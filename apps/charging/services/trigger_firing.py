"""A trigger that fires: its row for good, its event for the rooms above, and its bar."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from apps.charging.domain.balances import BalanceKind
from apps.charging.domain.published import TRIGGER_FIRED
from apps.charging.domain.trigger_states import Firing, TriggerState
from apps.charging.domain.triggers import TriggerAction
from apps.charging.models import AccountBar, BalanceTrigger, TriggerFiring
from apps.charging.services.barring import bar_for_cap, bar_unless_barred
from apps.charging.services.trigger_rows import StateKey
from apps.events.services.publishing import publish


class Fired(NamedTuple):
    """A firing that is written. ``actions`` is the id of the group of actions that it asks for, empty for none."""

    firing_id: int
    trigger_id: int
    account_id: int
    tenant: str
    actions: str
    at: datetime


def fire(firings: Sequence[Firing], changed: dict[StateKey, TriggerState], now: datetime) -> list[Fired]:
    """Write the firings, and bar if that is the action. Firing is rare, so it may query once more.

    What triggers that were switched off meanwhile remember is taken out of ``changed``: they have not fired.
    """
    # The executor's book may be some seconds old.
    known = (
        BalanceTrigger.objects.filter(enabled=True)
        .select_related("tenant")
        .in_bulk({firing.trigger.trigger_id for firing in firings})
    )
    for firing in firings:
        if firing.trigger.trigger_id not in known:
            changed.pop((firing.trigger.trigger_id, firing.account_id), None)
    fired = [firing for firing in firings if firing.trigger.trigger_id in known]
    rows = []
    for firing in fired:
        trigger = firing.trigger
        money = trigger.filter.kind == BalanceKind.MONETARY
        row = TriggerFiring.objects.create(
            trigger=known[trigger.trigger_id],
            account_id=firing.account_id,
            at=firing.at,
            kind=trigger.kind,
            action=trigger.action,
            actions=trigger.actions,
            balance_kind=trigger.filter.kind,
            threshold_micros=trigger.threshold if money else 0,
            threshold_units=0 if money else trigger.threshold,
            value_micros=firing.value if money else 0,
            value_units=0 if money else firing.value,
            cause=firing.cause,
            # One that is not to be announced never waits for it.
            announced_at=None if known[trigger.trigger_id].notify else now,
        )
        rows.append(
            Fired(row.pk, trigger.trigger_id, firing.account_id, trigger.tenant, trigger.actions, firing.at)
        )
        publish(
            [
                TRIGGER_FIRED.event(
                    firing.account_id,
                    firing.at,
                    tenant=trigger.tenant,
                    account_id=firing.account_id,
                    firing_id=row.pk,
                    trigger_id=trigger.trigger_id,
                    action=str(trigger.action),
                    actions=trigger.actions,
                )
            ]
        )
    for firing in fired:
        if firing.trigger.action == TriggerAction.BAR:
            bar_unless_barred(
                firing.account_id,
                AccountBar.Reason.FRAUD,
                now,
                by=f"trigger:{known[firing.trigger.trigger_id].name}",
                note=firing.cause,
            )
        elif firing.trigger.action == TriggerAction.CAP:
            watching = known[firing.trigger.trigger_id]
            by = f"trigger:{watching.name}"
            bar_for_cap(firing.account_id, watching.tenant, firing.at, now, by=by, note=firing.cause)
    return rows
