"""Groups of actions as values: their rows read with the timings and the shared groups that they name."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from apps.actions.domain.written import action_of
from apps.actions.models import Action as ActionRow
from apps.actions.models import ActionGroup
from apps.charging.domain.balance_actions import Action
from apps.charging.models import Account, SharedGroup
from apps.kernel.errors import InvalidInput, NotFound
from apps.rating.domain.source import SHARED_TARIFF_PLAN, Timing
from apps.rating.models import TariffPlan, Tenant
from apps.rating.selectors.tariff_source import stored_timings

ACCOUNTS_AT_ONCE = 5_000
Compiled = Mapping[tuple[int, int], "tuple[Action, ...] | InvalidInput"]
"""By group and tenant the actions, or why they cannot be read."""


def compiled_groups(group_ids: Collection[int], tenant_ids: Collection[int]) -> Compiled:
    """The actions of the groups for accounts of these tenants."""
    rows: dict[int, list[ActionRow]] = {pk: [] for pk in group_ids}
    for row in ActionRow.objects.filter(group__in=group_ids).order_by("group_id", "-weight", "pk"):
        rows[row.group_id].append(row)
    plans = {group.pk: group.tariff_plan_id for group in ActionGroup.objects.filter(pk__in=group_ids)}
    timings = timings_of_plans(
        {plans[pk] for pk, some in rows.items() if pk in plans and any(row.timings for row in some)}
    )
    shared: dict[int, dict[str, int]] = {tenant_id: {} for tenant_id in tenant_ids}
    if any(row.shared_groups for some in rows.values() for row in some):
        for pk, tenant_id, code in SharedGroup.objects.filter(tenant__in=tenant_ids).values_list(
            "pk", "tenant_id", "code"
        ):
            shared[tenant_id][code] = pk
    return {
        (pk, tenant_id): _compiled(some, timings.get(plans.get(pk, 0), {}), shared[tenant_id])
        for pk, some in rows.items()
        for tenant_id in tenant_ids
    }


def _compiled(
    rows: Collection[ActionRow], timings: Mapping[str, Timing], shared: Mapping[str, int]
) -> tuple[Action, ...] | InvalidInput:
    if not rows:
        return InvalidInput("the group has no actions", code="no_actions")
    try:
        return tuple(action_of(row.written(), timings, shared) for row in rows)
    except InvalidInput as error:
        return error
    except KeyError as error:
        return InvalidInput(f"{error} is no timing of the tariff plan, or no shared group of the tenant")


def timings_of_plans(plan_ids: Collection[int]) -> Mapping[int, Mapping[str, Timing]]:
    """The timings of tariff plans, by plan and code."""
    plans = TariffPlan.objects.filter(pk__in=plan_ids)
    return {plan.pk: {timing.id: timing for timing in stored_timings(plan)} for plan in plans}


def check_owner(plan: TariffPlan, account_ids: Sequence[int]) -> None:
    """Raises InvalidInput if an account is of another tenant than the one that the tariff plan belongs to."""
    if plan.code == SHARED_TARIFF_PLAN:
        return
    for first in range(0, len(account_ids), ACCOUNTS_AT_ONCE):
        others = Account.objects.filter(pk__in=account_ids[first : first + ACCOUNTS_AT_ONCE])
        other = others.exclude(tenant__code=plan.code).select_related("tenant").first()
        if other is not None:
            message = f"account {other} is of tenant {other.tenant.code}, and this is of tenant {plan.code}"
            raise InvalidInput(message, where="accounts", code="other_tenant")


def find_group(tenant: Tenant, code: str) -> ActionGroup:
    """The group of this id in the tenant's own tariff plan, else in the shared one. Raises NotFound."""
    found = {
        group.tariff_plan.code: group
        for group in ActionGroup.objects.filter(
            code=code, tariff_plan__code__in=(tenant.code, SHARED_TARIFF_PLAN)
        ).select_related("tariff_plan")
    }
    group = found.get(tenant.code) or found.get(SHARED_TARIFF_PLAN)
    if group is None:
        raise NotFound(f"tenant {tenant.code} has no group of actions “{code}”", where="actions")
    return group
