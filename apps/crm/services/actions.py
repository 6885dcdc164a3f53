"""Groups of actions carried out on an account, and action plans given to it and taken from it; for one tenant."""

from __future__ import annotations

from datetime import datetime
from hashlib import blake2b

from apps.actions.services.groups import find_group
from apps.actions.services.plans import assign_plan, find_plan, remove_plan
from apps.actions.services.running import Wanted, carry_out
from apps.charging.domain.requests import Result
from apps.crm.domain.actions import AccountPlanView, ActionsRun
from apps.crm.selectors.actions import account_row, list_plans
from apps.crm.selectors.vouchers import tenant_row
from apps.crm.services.transactions import one_transaction
from apps.kernel.errors import Conflict, NotFound


@one_transaction
def run(tenant: str, account_id: int, code: str, *, key: str, now: datetime) -> ActionsRun:
    """Carry a group out on an account, once for ``key`` within the tenant.

    Raises NotFound (group, account_id), Conflict with the reason if it is refused: nothing is changed then.
    """
    account = account_row(tenant, account_id)
    group = find_group(tenant_row(tenant), code)
    cause = f"api:{blake2b(f'{tenant}{chr(0)}{key}'.encode(), digest_size=16).hexdigest()}:{account.pk}"
    (answer,) = carry_out([Wanted(account.pk, group.pk, cause, now)], now)
    if answer.result is not Result.SUCCESS:
        raise Conflict(answer.message, code=answer.reason)
    return ActionsRun(account.pk, group.code, cause)


@one_transaction
def assign(tenant: str, account_id: int, code: str, *, now: datetime) -> AccountPlanView:
    """Give an account a plan from now on; one that it has stays as it is. Raises NotFound (plan, account_id)."""
    account = account_row(tenant, account_id)
    if account.closed_at is not None:
        raise Conflict(f"account {account} is closed", code="account_closed")
    assign_plan(find_plan(tenant_row(tenant), code), [account.pk], now)
    (found,) = list_plans(tenant, account_id, code)
    return found


@one_transaction
def remove(tenant: str, account_id: int, code: str) -> AccountPlanView:
    """Take a plan from an account; what it was. Raises NotFound (plan, account_id)."""
    found = list_plans(tenant, account_id, code)
    if not found:
        raise NotFound(f"account {account_id} has no action plan “{code}”", where="plan")
    remove_plan(find_plan(tenant_row(tenant), code), [account_id])
    return found[0]
