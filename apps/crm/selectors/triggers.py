"""Triggers of a tenant and what they did."""

from __future__ import annotations

from apps.charging.models import BalanceTrigger, TriggerFiring
from apps.crm.domain.asked import FiringsAsked, TriggersAsked
from apps.crm.domain.triggers import FiringView, TriggerView
from apps.crm.selectors.rows import checked_limit
from apps.crm.selectors.tenants import tenant_of
from apps.kernel.errors import NotFound


def list_triggers(tenant: str, asked: TriggersAsked) -> list[TriggerView]:
    """Triggers in the order of their ids. Raises InvalidInput (limit)."""
    rows = BalanceTrigger.objects.filter(tenant_id=tenant_of(tenant).id, pk__gt=asked.after_id)
    if asked.account_id:
        rows = rows.filter(account=asked.account_id)
    if asked.trigger_set:
        rows = rows.filter(trigger_set__code=asked.trigger_set)
    if asked.enabled is not None:
        rows = rows.filter(enabled=asked.enabled)
    found = rows.select_related("price_plan", "account", "trigger_set").order_by("pk")[
        : checked_limit(asked.limit)
    ]
    return [trigger_view(row) for row in found]


def get_trigger(tenant: str, trigger_id: int) -> TriggerView:
    """Raises NotFound."""
    rows = BalanceTrigger.objects.filter(tenant_id=tenant_of(tenant).id, pk=trigger_id)
    found = rows.select_related("price_plan", "account", "trigger_set").first()
    if found is None:
        raise NotFound(f"there is no trigger {trigger_id}", where="trigger_id")
    return trigger_view(found)


def list_firings(tenant: str, asked: FiringsAsked) -> list[FiringView]:
    """What fired, newest first. Raises InvalidInput (limit)."""
    rows = TriggerFiring.objects.filter(trigger__tenant_id=tenant_of(tenant).id)
    if asked.trigger_id:
        rows = rows.filter(trigger=asked.trigger_id)
    if asked.account_id:
        rows = rows.filter(account=asked.account_id)
    if asked.before_id:
        rows = rows.filter(pk__lt=asked.before_id)
    found = rows.select_related("trigger", "account").order_by("-pk")[: checked_limit(asked.limit)]
    return [_firing_view(row) for row in found]


def trigger_view(row: BalanceTrigger) -> TriggerView:
    return TriggerView(
        row.pk,
        row.name,
        row.enabled,
        row.kind,
        row.threshold_micros,
        row.window_s,
        row.currency,
        row.balance_tag,
        row.price_plan.code if row.price_plan else "",
        row.account_id,
        row.account.number if row.account else "",
        row.action,
        row.notify,
        row.balance_kind,
        row.threshold_units,
        row.destinations,
        row.categories,
        row.recurrent,
        row.min_sleep_s,
        row.monthly,
        row.active_from,
        row.expires_at,
        row.trigger_set.code if row.trigger_set else "",
        row.actions,
    )


def _firing_view(row: TriggerFiring) -> FiringView:
    trigger, account = row.trigger, row.account
    return FiringView(
        row.pk,
        row.at,
        row.trigger_id,
        trigger.name,
        row.account_id,
        account.number,
        row.kind,
        row.action,
        row.threshold_micros,
        row.value_micros,
        account.currency,
        row.cause,
        row.sentence,
        row.balance_kind,
        row.threshold_units,
        row.value_units,
        row.actions,
    )
