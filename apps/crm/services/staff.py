"""People of the staff: which tenants they work for, and which roles they may give to others."""

from __future__ import annotations

from typing import Any

from apps.crm.domain.access import AUDITOR, BILLING, CRM_AGENT, ROLES
from apps.crm.domain.errors import Forbidden
from apps.crm.models import StaffTenant

ROLE_OF_GROUP = {"operator": CRM_AGENT, "billing": BILLING, "auditor": AUDITOR}
"""The role whose token may do over the API what a staff group does in the admin."""


def tenants_of_staff(user: Any) -> frozenset[int] | None:
    """The tenants that a person works for; None for all of them."""
    if user.is_superuser:
        return None
    found = frozenset(StaffTenant.objects.filter(user_id=user.pk).values_list("tenant_id", flat=True))
    return found or None


def demand_giver(user: Any, tenant_id: int, roles: list[str]) -> None:
    """Raise Forbidden unless the person may give these roles of the tenant: never more than they have themselves."""
    if user.is_superuser:
        return
    tenants = tenants_of_staff(user)
    if tenants is not None and tenant_id not in tenants:
        raise Forbidden("this is not a tenant that you work for", where="tenant")
    groups = set(user.groups.values_list("name", flat=True))
    own = {role for group, role in ROLE_OF_GROUP.items() if group in groups}
    if more := [role for role in ROLES if role in roles and role not in own]:
        raise Forbidden(
            f"you lack the role {', '.join(more)} yourself; "
            + (f"you may give {', '.join(sorted(own))}" if own else "a superuser gives roles"),
            where="roles",
        )
