"""Account triggers that fired become notifications, each once."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from apps.billing.services.notifications import notify
from apps.charging.domain.triggers import sentence
from apps.charging.models import BalanceTrigger, TriggerFiring

AT_ONCE = 500


def announce_firings(now: datetime) -> int:
    """Leave a notification for each firing that has none, the oldest first; how many were left."""
    announced = 0
    while True:
        waiting = list(
            TriggerFiring.objects.filter(announced_at=None)
            .select_related("trigger", "account")
            .order_by("pk")[:AT_ONCE]
        )
        if not waiting:
            return announced
        with transaction.atomic():
            for firing in waiting:
                # Whoever comes second finds it announced.
                if TriggerFiring.objects.filter(pk=firing.pk, announced_at=None).update(announced_at=now):
                    _announce(firing, now)
                    announced += 1


def _announce(firing: TriggerFiring, now: datetime) -> None:
    trigger, account = firing.trigger, firing.account
    happened = sentence(
        firing.kind,
        firing.threshold_micros,
        firing.value_micros,
        account.currency,
        trigger.balance_tag,
        trigger.window_s,
    )
    level, then = "info", ""
    if firing.action == BalanceTrigger.Action.BAR:
        level, then = "error", "; the account is barred"
    elif firing.kind == BalanceTrigger.Kind.SPENT:
        level = "warning"
    text = f"Account {account}: {happened}{then} (trigger {trigger})"
    notify(text, now, level=level, tenant_id=account.tenant_id)
