"""Making account triggers, changing, switching, resetting and deleting them."""

from __future__ import annotations

from collections.abc import Mapping

from django.core.exceptions import ValidationError
from django.db import transaction

from apps.charging.models import DEFAULT_BALANCE, Account, BalanceTrigger
from apps.charging.services.executor import forget_directory
from apps.kernel.errors import Conflict, InvalidInputs, NotFound, Problem
from apps.rating.models import PricePlan, Tenant


def make_trigger(
    tenant: Tenant,
    name: str,
    kind: str,
    threshold_micros: int,
    *,
    action: str = BalanceTrigger.Action.NOTIFY,
    currency: str = "",
    balance_tag: str = DEFAULT_BALANCE,
    window_s: int | None = None,
    price_plan: PricePlan | None = None,
    account: Account | None = None,
    notify: bool = True,
    enabled: bool = True,
) -> BalanceTrigger:
    """A new trigger; every process heeds it within CHARGING_DIRECTORY_REFRESH_S.

    Without ``currency``, it is for accounts in that of the account, else of the tenant. Raises InvalidInputs with every
    fault found.
    """
    trigger = BalanceTrigger(
        tenant=tenant,
        name=name,
        kind=kind,
        threshold_micros=threshold_micros,
        action=action,
        currency=currency or (account.currency if account is not None else tenant.currency),
        balance_tag=balance_tag,
        window_s=window_s,
        price_plan=price_plan,
        account=account,
        notify=notify,
        enabled=enabled,
    )
    _save(trigger)
    return trigger


@transaction.atomic
def change_trigger(tenant: Tenant, trigger_id: int, changes: Mapping[str, object]) -> BalanceTrigger:
    """Change columns of a trigger by name. Raises NotFound, InvalidInputs with every fault found."""
    trigger = _locked(tenant, trigger_id)
    for column, value in changes.items():
        setattr(trigger, column, value)
    _save(trigger)
    return trigger


@transaction.atomic
def delete_trigger(tenant: Tenant, trigger_id: int) -> BalanceTrigger:
    """Delete a trigger that never fired. Raises NotFound, Conflict (code has_fired): its firings refer to it."""
    trigger = _locked(tenant, trigger_id)
    if trigger.firings.exists():
        raise Conflict(
            f"trigger {trigger} has fired, and what it did is kept; switch it off instead", code="has_fired"
        )
    trigger.windows.all().delete()
    trigger.delete()
    transaction.on_commit(forget_directory)
    return trigger


@transaction.atomic
def reset_trigger(tenant: Tenant, trigger_id: int, *, account: Account | None = None) -> int:
    """Let a trigger of spending begin at zero and fire again, for one account or all; for how many it had counted.

    Triggers of a balance have nothing to reset: they fire at each crossing. Raises NotFound.
    """
    windows = _locked(tenant, trigger_id).windows.all()
    if account is not None:
        windows = windows.filter(account=account)
    return windows.delete()[0]


def _locked(tenant: Tenant, trigger_id: int) -> BalanceTrigger:
    found = BalanceTrigger.objects.select_for_update().filter(tenant=tenant, pk=trigger_id).first()
    if found is None:
        raise NotFound(f"there is no trigger {trigger_id}", where="trigger_id")
    return found


def _save(trigger: BalanceTrigger) -> None:
    try:
        trigger.full_clean()
    except ValidationError as error:
        raise InvalidInputs(
            [Problem(field, text) for field, texts in error.message_dict.items() for text in texts]
        ) from error
    trigger.save()
    transaction.on_commit(forget_directory)


def switch_trigger(tenant: Tenant, name: str, *, enabled: bool) -> BalanceTrigger:
    """Switch a trigger on or off; one that was switched off stays with what it has done. Raises NotFound."""
    with transaction.atomic():
        trigger = BalanceTrigger.objects.select_for_update().filter(tenant=tenant, name=name).first()
        if trigger is None:
            raise NotFound(f"tenant {tenant.code} has no trigger “{name}”; triggers list names them")
        trigger.enabled = enabled
        trigger.save(update_fields=["enabled"])
    transaction.on_commit(forget_directory)
    return trigger
