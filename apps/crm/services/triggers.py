"""Triggers as front ends make, change, reset and delete them; for one tenant, one transaction a call."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from apps.charging.models import Account, TriggerSet
from apps.charging.services import member_limit_settings, spending_caps, trigger_settings
from apps.crm.domain.asked import NewTriggerAsked, SharedLimitAsked, SharedLimitRef, TriggerChangeAsked
from apps.crm.domain.triggers import SharedLimitView, SpendingCapView, TriggerView
from apps.crm.selectors.actions import account_row
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


def get_cap(tenant: str, account_id: int, *, now: datetime) -> SpendingCapView:
    """Raises NotFound: no such account, or none that has a cap."""
    account = account_row(tenant, account_id)
    cap = spending_caps.cap_of(account, now)
    if cap is None:
        raise NotFound(f"account {account} has no spending cap", where="account_id")
    return _cap_view(account, cap)


@one_transaction
def set_cap(tenant: str, account_id: int, limit_micros: int, *, now: datetime) -> SpendingCapView:
    """Raises NotFound, InvalidInput (limit_micros), Conflict (account_closed)."""
    account = account_row(tenant, account_id)
    return _cap_view(account, spending_caps.set_cap(account, limit_micros, now))


@one_transaction
def clear_cap(tenant: str, account_id: int, *, now: datetime) -> SpendingCapView:
    """Raises NotFound."""
    account = account_row(tenant, account_id)
    return _cap_view(account, spending_caps.clear_cap(account, now))


def shared_limits(tenant: str, group: str, *, now: datetime) -> list[SharedLimitView]:
    """Raises NotFound (group)."""
    owner = tenant_row(tenant)
    found = member_limit_settings.member_limits(owner, group, now)
    ids = dict(
        Account.objects.filter(tenant=owner, number__in=[one.account for one in found]).values_list(
            "number", "pk"
        )
    )
    return [
        SharedLimitView(one.group, ids[one.account] if one.account else 0, one.kind, one.limit, one.used or 0)
        for one in found
    ]


@one_transaction
def set_shared_limit(tenant: str, asked: SharedLimitAsked, *, now: datetime) -> SharedLimitView:
    """Raises NotFound (group, account_id), InvalidInput (kind, limit)."""
    number = account_row(tenant, asked.account_id).number if asked.account_id else None
    member_limit_settings.set_member_limit(tenant_row(tenant), asked.group, number, asked.kind, asked.limit)
    return _shared_limit(tenant, asked, now)


@one_transaction
def clear_shared_limit(tenant: str, asked: SharedLimitRef, *, now: datetime) -> SharedLimitView:
    """Raises NotFound (group, account_id, kind)."""
    number = account_row(tenant, asked.account_id).number if asked.account_id else None
    found = _shared_limit(tenant, asked, now)
    member_limit_settings.clear_member_limit(tenant_row(tenant), asked.group, number, asked.kind)
    return found


def _shared_limit(tenant: str, asked: SharedLimitRef, now: datetime) -> SharedLimitView:
    for found in shared_limits(tenant, asked.group, now=now):
        if (found.account_id, found.kind) == (asked.account_id, asked.kind):
            return found
    raise NotFound(f"group {asked.group} has no such limit of {asked.kind}", where="kind")


def _cap_view(account: Account, cap: spending_caps.SpendingCap) -> SpendingCapView:
    return SpendingCapView(
        account.pk, account.currency, cap.limit_micros, cap.spent_micros, cap.is_warned, cap.is_barred
    )


def _account(tenant: Tenant, account_id: int) -> Account | None:
    if not account_id:
        return None
    found = Account.objects.filter(tenant=tenant, pk=account_id).first()
    if found is None:
        raise NotFound(f"there is no account {account_id}", where="account_id")
    return found
