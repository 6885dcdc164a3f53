"""Batches of vouchers of a tenant."""

from __future__ import annotations

from apps.kernel.errors import NotFound
from apps.vouchers.models import VoucherBatch


def list_batches(tenant: str, *, before_id: int = 0, limit: int = 100) -> list[VoucherBatch]:
    """Batches, newest first, those with ids below ``before_id``."""
    found = VoucherBatch.objects.filter(tenant__code=tenant).select_related("bundle").order_by("-pk")
    return list((found.filter(pk__lt=before_id) if before_id else found)[:limit])


def get_batch(tenant: str, batch_id: int) -> VoucherBatch:
    """A batch by id. Raises NotFound, also for another tenant's."""
    found = VoucherBatch.objects.filter(tenant__code=tenant, pk=batch_id).select_related("bundle").first()
    if found is None:
        raise NotFound(f"there is no voucher batch {batch_id}")
    return found
