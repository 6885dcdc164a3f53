"""Wrong PINs of accounts and callers as rows: read, counted, forgiven, and lifted by staff."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from datetime import datetime

from django.conf import settings
from django.db import transaction

from apps.kernel.errors import NotFound
from apps.rating.models import Tenant
from apps.vouchers.domain.guessing import Guard, GuardPolicy, after_failure
from apps.vouchers.models import RedemptionGuard


def policies_of(account_id: int, caller: str) -> dict[str, GuardPolicy]:
    """By subject the policies of those against whom a wrong PIN counts: the account, and who speaks for many.

    An account's wrong PINs are forgiven one in six hours, a caller's one a second.
    """
    of_account = GuardPolicy(
        free=2,
        first_wait_s=settings.VOUCHER_FIRST_WAIT_S,
        longest_wait_s=3600,
        lock_after=settings.VOUCHER_ACCOUNT_TRIES,
        forgive_s=6 * 3600,
    )
    if not caller:
        return {f"account:{account_id}": of_account}
    of_caller = GuardPolicy(
        free=100,
        first_wait_s=1,
        longest_wait_s=30,
        lock_after=settings.VOUCHER_CALLER_TRIES,
        forgive_s=1,
    )
    return {f"account:{account_id}": of_account, f"caller:{caller}": of_caller}


def read_guards(tenant_id: int, subjects: Collection[str]) -> dict[str, Guard]:
    """Whose wrong PINs are known. An account's row changes only under the lock of its balances."""
    return {
        row.subject: Guard(row.failures, row.failed_at, row.locked_at)
        for row in RedemptionGuard.objects.filter(tenant=tenant_id, subject__in=subjects)
    }


def count_failures(
    tenant_id: int, failures: Counter[str], policies: dict[str, GuardPolicy], now: datetime
) -> None:
    """Add so many wrong PINs to each subject, locking their rows in the order of the subjects."""
    if not failures:
        return
    wanted = RedemptionGuard.objects.filter(tenant=tenant_id, subject__in=list(failures))
    known = set(wanted.values_list("subject", flat=True))
    missing = sorted(set(failures) - known)
    if missing:
        RedemptionGuard.objects.bulk_create(
            [RedemptionGuard(tenant_id=tenant_id, subject=subject) for subject in missing],
            ignore_conflicts=True,
        )
    rows = list(wanted.select_for_update().order_by("subject"))
    for row in rows:
        guard = Guard(row.failures, row.failed_at, row.locked_at)
        for _ in range(failures[row.subject]):
            guard = after_failure(guard, policies[row.subject], now)
        row.failures, row.failed_at, row.locked_at = guard
    RedemptionGuard.objects.bulk_update(rows, ["failures", "failed_at", "locked_at"])


def forgive(tenant_id: int, subjects: Collection[str]) -> None:
    """Wrong PINs before a right one no longer count."""
    if subjects:
        RedemptionGuard.objects.filter(tenant=tenant_id, subject__in=subjects).update(
            failures=0, failed_at=None
        )


def lift_lock(tenant: Tenant, subject: str, now: datetime, *, by: str, reason: str = "") -> RedemptionGuard:
    """Let a locked or waiting party (``account:<id>``, ``caller:<name>``) try again at once; its count returns to zero.

    Raises NotFound if no wrong PIN of it is known.
    """
    with transaction.atomic():
        guard = RedemptionGuard.objects.select_for_update().filter(tenant=tenant, subject=subject).first()
        if guard is None:
            raise NotFound(f"no wrong PINs are known of {subject}")
        guard.failures, guard.failed_at, guard.locked_at = 0, None, None
        guard.lifted_at, guard.lifted_by, guard.lift_reason = now, by[:150], reason[:200]
        guard.save()
    return guard
