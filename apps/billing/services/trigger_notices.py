"""Account triggers that fired become notifications, each once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from apps.billing.services.notifications import notify
from apps.charging.domain.published import TRIGGER_FIRED
from apps.charging.models import BalanceTrigger, TriggerFiring
from apps.events.models import Event
from apps.events.services.consuming import Consumer, register
from apps.runtime import metrics


def announce_firings(events: Sequence[Event], now: datetime) -> None:
    """Leave a notification for each firing that is to have one and has none."""
    waiting = TriggerFiring.objects.filter(
        pk__in=[event.body["firing_id"] for event in events], announced_at=None
    )
    for firing in waiting.select_related("trigger", "account").order_by("pk"):
        _announce(firing, now)
        TRIGGERS_FIRED.labels(firing.kind, firing.action).inc()
    waiting.update(announced_at=now)


def _announce(firing: TriggerFiring, now: datetime) -> None:
    trigger, account = firing.trigger, firing.account
    happened = firing.sentence
    level, then = "info", ""
    if firing.action == BalanceTrigger.Action.BAR:
        level, then = "error", "; the account is barred"
    elif firing.action == BalanceTrigger.Action.CAP:
        level, then = "error", "; the account is barred until the month is over"
    elif firing.kind == BalanceTrigger.Kind.SPENT or trigger.monthly:
        level = "warning"
    if firing.actions:
        then += f"; actions {firing.actions} follow"
    text = f"Account {account}: {happened}{then} (trigger {trigger})"
    notify(text, now, level=level, tenant_id=account.tenant_id)


TRIGGERS_FIRED = metrics.counter("triggers_fired", "Triggers of accounts that fired.", ("kind", "action"))
NOTICES = Consumer("trigger-notices", (TRIGGER_FIRED,), announce_firings)


def register_consumer() -> None:
    register(NOTICES)
