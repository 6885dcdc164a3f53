"""Making account triggers, and switching them on and off."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import transaction

from apps.charging.models import DEFAULT_BALANCE, Account, BalanceTrigger
from apps.charging.services.executor import forget_directory
from apps.kernel.errors import InvalidInputs, NotFound, Problem
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
) -> BalanceTrigger:
    """A new trigger, switched on; every process heeds it within CHARGING_DIRECTORY_REFRESH_S.

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
    )
    try:
        trigger.full_clean()
    except ValidationError as error:
        raise InvalidInputs(
            [Problem(field, text) for field, texts in error.message_dict.items() for text in texts]
        ) from error
    trigger.save()
    transaction.on_commit(forget_directory)
    return trigger


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
