"""Triggers as front ends make, change, reset and delete them; for one tenant, one transaction a call."""

from __future__ import annotations

from dataclasses import asdict

from apps.charging.models import Account, TriggerSet
from apps.charging.services import trigger_settings
from apps.crm.domain.asked import NewTriggerAsked, TriggerChangeAsked
from apps.crm.domain.triggers import TriggerView
from apps.crm.selectors.triggers import trigger_view
from apps.crm.selectors.vouchers import tenant_row
from apps.crm.services.transactions import one_transaction
from apps.kernel.errors import NotFound
from apps.rating.models import PricePlan, Tenant


@one_transaction
def create_trigger(tenant: str, new: NewTriggerAsked) -> TriggerView:
    """Raises NotFound (price_plan, account_id), InvalidInputs placed by field."""
    owner = tenant_row(tenant)
    values = asdict(new)
    code, account_id, set_code = (values.pop(name) for name in ("price_plan", "account_id", "trigger_set"))
    plan = PricePlan.objects.filter(tenant=owner, code=code).first() if code else None
    if code and plan is None:
        raise NotFound(f"there is no price plan “{code}”", where="price_plan")
    chosen = TriggerSet.objects.get_or_create(tenant=owner, code=set_code)[0] if set_code else None
    made = trigger_settings.make_trigger(
        owner, price_plan=plan, account=_account(owner, account_id), trigger_set=chosen, **values
    )
    return trigger_view(made)


@one_transaction
def change_trigger(tenant: str, change: TriggerChangeAsked) -> TriggerView:
    """Raises NotFound, InvalidInputs placed by field."""
    changes = {name: value for name, value in asdict(change).items() if value is not None}
    trigger_id = changes.pop("trigger_id")
    return trigger_view(trigger_settings.change_trigger(tenant_row(tenant), trigger_id, changes))


@one_transaction
def delete_trigger(tenant: str, trigger_id: int) -> None:
    """Raises NotFound, Conflict (code has_fired)."""
    trigger_settings.delete_trigger(tenant_row(tenant), trigger_id)


@one_transaction
def reset_trigger(tenant: str, trigger_id: int, *, account_id: int = 0) -> int:
    """For how many accounts it had remembered something. Raises NotFound."""
    owner = tenant_row(tenant)
    return trigger_settings.reset_trigger(owner, trigger_id, account=_account(owner, account_id))


def _account(tenant: Tenant, account_id: int) -> Account | None:
    if not account_id:
        return None
    found = Account.objects.filter(tenant=tenant, pk=account_id).first()
    if found is None:
        raise NotFound(f"there is no account {account_id}", where="account_id")
    return found
