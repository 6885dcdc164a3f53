"""Groups of actions of a tenant, and the action plans of an account."""

from __future__ import annotations

from collections import defaultdict

from django.db.models import Q

from apps.actions.models import AccountPlan, ActionGroup, DueAction
from apps.charging.models import Account
from apps.crm.domain.actions import AccountPlanView, ActionGroupView, DueActionView
from apps.crm.domain.asked import ActionGroupsAsked
from apps.crm.selectors.rows import checked_limit
from apps.crm.selectors.tenants import tenant_of
from apps.kernel.errors import NotFound
from apps.rating.domain.source import SHARED_TARIFF_PLAN


def account_row(tenant: str, account_id: int) -> Account:
    """Raises NotFound."""
    found = Account.objects.filter(tenant_id=tenant_of(tenant).id, pk=account_id).first()
    if found is None:
        raise NotFound(f"there is no account {account_id}", where="account_id")
    return found


def list_groups(tenant: str, asked: ActionGroupsAsked) -> list[ActionGroupView]:
    """Raises InvalidInput (limit)."""
    rows = ActionGroup.objects.filter(
        Q(tariff_plan__code=tenant) | Q(tariff_plan__code=SHARED_TARIFF_PLAN), pk__gt=asked.after_id
    )
    found = rows.select_related("tariff_plan").prefetch_related("actions").order_by("pk")
    return [
        ActionGroupView(
            row.pk, row.code, row.tariff_plan.code, tuple(str(action) for action in row.actions.all())
        )
        for row in found[: checked_limit(asked.limit)]
    ]


def list_plans(tenant: str, account_id: int, plan: str = "") -> list[AccountPlanView]:
    """The plans of an account, or the one that is named, in the order of their ids. Raises NotFound."""
    account = account_row(tenant, account_id)
    due: dict[int, list[DueActionView]] = defaultdict(list)
    for row in (
        DueAction.objects.filter(assignment__account=account)
        .select_related("assignment", "entry__plan", "entry__group")
        .order_by("pk")
    ):
        due[row.assignment_id].append(
            DueActionView(
                row.entry.plan.code,
                row.entry.group.code,
                row.entry.timing,
                row.assignment.assigned_at,
                row.due_at,
                row.done_at,
                row.done_count,
            )
        )
    rows = AccountPlan.objects.filter(account=account).select_related("plan").order_by("pk")
    return [
        AccountPlanView(account_id, row.plan.code, tuple(due[row.pk]))
        for row in rows
        if plan in ("", row.plan.code)
    ]
