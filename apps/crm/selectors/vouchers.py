"""Vouchers, their batches, and accounts that wrong PINs have locked; for one tenant."""

from __future__ import annotations

from datetime import datetime

from apps.crm.domain.vouchers import BatchView, RedemptionLock, VoucherView
from apps.crm.selectors.rows import checked_limit
from apps.crm.selectors.tenants import tenant_of
from apps.kernel.errors import NotFound
from apps.rating.models import Tenant
from apps.vouchers.models import RedemptionGuard, Voucher, VoucherBatch
from apps.vouchers.selectors import VoucherFilter, select_voucher, select_vouchers


def list_batches(tenant: str, *, before_id: int = 0, limit: int = 100) -> list[BatchView]:
    """Batches, newest first, those with ids below ``before_id``."""
    rows = VoucherBatch.objects.filter(tenant_id=tenant_of(tenant).id).select_related("bundle")
    if before_id:
        rows = rows.filter(pk__lt=before_id)
    return [batch_view(row) for row in rows.order_by("-pk")[: checked_limit(limit)]]


def get_batch(tenant: str, batch_id: int) -> BatchView:
    """A batch by id. Raises NotFound, also for another tenant's."""
    rows = VoucherBatch.objects.filter(tenant_id=tenant_of(tenant).id, pk=batch_id)
    found = rows.select_related("bundle").first()
    if found is None:
        raise NotFound(f"there is no voucher batch {batch_id}", where="batch_id")
    return batch_view(found)


def list_vouchers(
    tenant: str, wanted: VoucherFilter, *, now: datetime, after_id: int = 0, limit: int = 100
) -> list[VoucherView]:
    """Vouchers in the order of their ids, with their status at ``now``. Raises InvalidInput (status, limit)."""
    found = select_vouchers(tenant_row(tenant), wanted, now, after_id=after_id, limit=checked_limit(limit))
    return [_view(row, now) for row in found]


def get_voucher(tenant: str, *, now: datetime, voucher_id: int = 0, serial: str = "") -> VoucherView:
    """A voucher by id or serial number. Raises NotFound."""
    if serial:
        return _view(select_voucher(tenant_row(tenant), serial), now)
    # The one that follows the id before it, if it is this one.
    found = list_vouchers(tenant, VoucherFilter(), now=now, after_id=voucher_id - 1, limit=1)
    if not found or found[0].id != voucher_id:
        raise NotFound(f"there is no voucher {voucher_id}", where="id")
    return found[0]


def redemption_lock(tenant: str, account_id: int) -> RedemptionLock:
    """The account's wrong PINs, and whether it is locked."""
    guard = RedemptionGuard.objects.filter(
        tenant_id=tenant_of(tenant).id, subject=f"account:{account_id}"
    ).first() or RedemptionGuard(subject="")
    return RedemptionLock(
        account_id,
        guard.locked_at is not None,
        guard.failures,
        guard.failed_at,
        guard.locked_at,
        guard.lifted_at,
        guard.lifted_by,
        guard.lift_reason,
    )


def tenant_row(tenant: str) -> Tenant:
    """The tenant's row, which vouchers are asked for by."""
    return Tenant.objects.get(pk=tenant_of(tenant).id)


def batch_view(row: VoucherBatch) -> BatchView:
    return BatchView(
        row.pk,
        row.name,
        row.kind,
        row.amount_micros,
        row.units,
        row.currency,
        row.tag,
        row.balance_days,
        row.bundle.code if row.bundle else "",
        row.bundle_days,
        row.count,
        row.valid_from,
        row.expires_at,
        row.created_at,
        row.created_by,
    )


def _view(row: Voucher, now: datetime) -> VoucherView:
    batch = row.batch
    return VoucherView(
        row.pk,
        row.serial,
        row.batch_id,
        row.status_at(now).value,
        batch.kind,
        batch.amount_micros,
        batch.units,
        batch.currency,
        batch.bundle.code if batch.bundle else "",
        batch.bundle_days,
        row.valid_from,
        row.expires_at,
        row.account_id,
        row.msisdn,
        row.redeemed_at,
        row.changed_at,
        row.changed_by,
        row.reason,
    )
