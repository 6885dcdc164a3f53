"""Limits of members of shared groups, as staff and front ends set, clear and see them."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from django.db import transaction

from apps.charging.models import Account, SharedGroup, SharedGroupLimit, SharedGroupUse
from apps.charging.services.executor import forget_directory
from apps.kernel.errors import InvalidInput, NotFound
from apps.kernel.periods import month_of
from apps.rating.models import Tenant


class MemberUse(NamedTuple):
    """A limit of a group's member (None: of each other), and what the member has used of it this month."""

    group: str
    account: str | None
    kind: str
    limit: int
    used: int | None


@transaction.atomic
def set_member_limit(
    tenant: Tenant, group: str, number: str | None, kind: str, amount: int
) -> SharedGroupLimit:
    """Limit what an account, or (None) each other member, may use of the group's others' balances of a kind a month.

    ``amount`` is in micro-units for money, else in units; 0 shuts the others' balances off. Heeded within
    CHARGING_DIRECTORY_REFRESH_S, and usage counts from then on. Raises NotFound (group, account), InvalidInput.
    """
    if kind not in SharedGroupLimit.Kind.values:
        kinds = ", ".join(SharedGroupLimit.Kind.values)
        raise InvalidInput(f"“{kind}” is no kind of balance; there are {kinds}", where="kind")
    if amount < 0:
        raise InvalidInput("a limit is not below zero", where="limit")
    money = kind == SharedGroupLimit.Kind.MONETARY
    found, _ = SharedGroupLimit.objects.update_or_create(
        group=_group(tenant, group, lock=True),
        account=_account(tenant, number),
        kind=kind,
        defaults={"amount_micros": amount if money else 0, "units": 0 if money else amount},
    )
    transaction.on_commit(forget_directory)
    return found


@transaction.atomic
def clear_member_limit(tenant: Tenant, group: str, number: str | None, kind: str) -> None:
    """Take a limit away. Raises NotFound."""
    limits = SharedGroupLimit.objects.filter(
        group=_group(tenant, group, lock=True), account=_account(tenant, number), kind=kind
    )
    if not limits.delete()[0]:
        raise NotFound(f"group {group} has no limit of {kind} for {number or 'any member'}", where="account")
    transaction.on_commit(forget_directory)


def member_limits(tenant: Tenant, group: str, now: datetime) -> list[MemberUse]:
    """The limits of a group, in the order in which they were made. Raises NotFound (group)."""
    year, month = month_of(now, tenant.zone)
    found = _group(tenant, group)
    used = {
        (account_id, kind): amount
        for account_id, kind, amount in SharedGroupUse.objects.filter(
            group=found, period=year * 12 + month
        ).values_list("account_id", "kind", "used")
    }
    return [
        MemberUse(
            found.code,
            None if limit.account is None else limit.account.number,
            limit.kind,
            limit.limit,
            None if limit.account_id is None else used.get((limit.account_id, limit.kind), 0),
        )
        for limit in found.limits.select_related("account").order_by("pk")
    ]


def _group(tenant: Tenant, code: str, *, lock: bool = False) -> SharedGroup:
    groups = SharedGroup.objects.select_for_update() if lock else SharedGroup.objects
    found = groups.filter(tenant=tenant, code=code).first()
    if found is None:
        raise NotFound(f"tenant {tenant.code} has no shared group “{code}”", where="group")
    return found


def _account(tenant: Tenant, number: str | None) -> Account | None:
    if number is None:
        return None
    found = Account.objects.filter(tenant=tenant, number=number).first()
    if found is None:
        raise NotFound(f"tenant {tenant.code} has no account “{number}”", where="account")
    return found
