"""Reads of the vouchers room."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from django.db.models import QuerySet

from apps.kernel.errors import InvalidInput, NotFound
from apps.rating.models import Tenant
from apps.vouchers.domain.vouchers import VoucherStatus
from apps.vouchers.models import Voucher


class VoucherFilter(NamedTuple):
    """A filter of vouchers; empty fields filter nothing. ``serial`` is the beginning of a serial number."""

    batch_id: int | None = None
    status: str = ""
    serial: str = ""
    account_id: int | None = None
    msisdn: str = ""


def select_vouchers(
    tenant: Tenant, wanted: VoucherFilter, now: datetime, *, after_id: int = 0, limit: int = 100
) -> list[Voucher]:
    """SelectVouchers: at most ``limit`` vouchers with ids above ``after_id``, in the order of their ids.

    With their batches and accounts, without their hashes. The status is as at ``now``: see ``Voucher.status_at``.
    Raises InvalidInput for a status that there is not.
    """
    found = vouchers_with_status(Voucher.objects.filter(tenant=tenant, pk__gt=after_id), wanted.status, now)
    if wanted.batch_id is not None:
        found = found.filter(batch=wanted.batch_id)
    if wanted.serial:
        found = found.filter(serial__startswith=wanted.serial)
    if wanted.account_id is not None:
        found = found.filter(account=wanted.account_id)
    if wanted.msisdn:
        found = found.filter(msisdn=wanted.msisdn)
    return list(_without_hashes(found).order_by("pk")[:limit])


def select_voucher(tenant: Tenant, serial: str) -> Voucher:
    """SelectVoucher: the voucher with this serial number. Raises NotFound. There is no look-up by PIN."""
    voucher = _without_hashes(Voucher.objects.filter(tenant=tenant, serial=serial)).first()
    if voucher is None:
        raise NotFound(f"there is no voucher {serial}", where="serial")
    return voucher


def vouchers_with_status(vouchers: QuerySet[Voucher], status: str, now: datetime) -> QuerySet[Voucher]:
    """Those that have this status (``expired`` among them) at ``now``; all where ``status`` is empty."""
    if not status:
        return vouchers
    if status not in set(VoucherStatus):
        raise InvalidInput(
            f"“{status}” is not a status; there are {', '.join(VoucherStatus)}", where="status"
        )
    open_ones = (VoucherStatus.GENERATED.value, VoucherStatus.ACTIVE.value, VoucherStatus.BLOCKED.value)
    if status == VoucherStatus.EXPIRED:
        return vouchers.filter(status__in=open_ones, expires_at__lte=now)
    if status in open_ones:
        return vouchers.filter(status=status, expires_at__gt=now)
    return vouchers.filter(status=status)


def _without_hashes(vouchers: QuerySet[Voucher]) -> QuerySet[Voucher]:
    return vouchers.select_related("batch__bundle", "account").defer("pin_hash")
