"""Activate, block, unblock, extend and void vouchers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from django.db import transaction
from django.db.models import QuerySet

from apps.kernel.errors import Conflict, InvalidInput, NotFound
from apps.rating.models import Tenant
from apps.storage.retry import retrying
from apps.subscribers.selectors import in_portions
from apps.vouchers.domain.vouchers import STEPS, VoucherAction, VoucherStatus
from apps.vouchers.models import Voucher, VoucherBatch

# The only actions that make sense for expired vouchers.
_ALSO_AFTER_THE_END = (VoucherAction.EXTEND, VoucherAction.VOID)


def change_vouchers(
    tenant: Tenant,
    action: VoucherAction,
    now: datetime,
    *,
    serials: Sequence[str] = (),
    batch_id: int | None = None,
    expires_at: datetime | None = None,
    reason: str = "",
    by: str = "",
) -> int:
    """UpdateVoucher: do ``action`` to the vouchers with these serials, or to all of a batch that it applies to.

    Returns how many were changed. EXTEND needs ``expires_at``, which must be later than now (and may be earlier
    than before). Named serials are changed all or none: raises NotFound for one that there is not, Conflict
    (``wrong_status``) naming the first that the action does not apply to. For a batch, Conflict if it
    applies to none.
    """
    if (batch_id is None) == (not serials):
        raise InvalidInput("name either serials or a batch", where="serials")
    if action is VoucherAction.EXTEND:
        if expires_at is None or expires_at <= now:
            raise InvalidInput("give the new end, later than now", where="expires_at")
    elif expires_at is not None:
        raise InvalidInput(f"{action} sets no new end", where="expires_at")
    step = STEPS[action]
    changes: dict[str, object] = {"changed_at": now, "changed_by": by[:150], "reason": reason[:200]}
    if step.to is not None:
        changes["status"] = step.to.value
    if expires_at is not None:
        changes["expires_at"] = expires_at
    if batch_id is None:
        return retrying(partial(_change_named, tenant, sorted(set(serials)), action, now, changes))
    return retrying(partial(_change_batch, tenant, batch_id, action, now, changes))


@transaction.atomic
def _change_batch(
    tenant: Tenant, batch_id: int, action: VoucherAction, now: datetime, changes: dict[str, object]
) -> int:
    if not VoucherBatch.objects.filter(tenant=tenant, pk=batch_id).exists():
        raise NotFound(f"there is no voucher batch {batch_id}")
    vouchers = Voucher.objects.filter(tenant=tenant, batch=batch_id)
    changed = _applies(vouchers, STEPS[action].allowed, action, now).update(**changes)
    if not changed:
        raise Conflict(f"no voucher of batch {batch_id} can be {_done(action)}", code="wrong_status")
    return changed


@transaction.atomic
def _change_named(
    tenant: Tenant, serials: Sequence[str], action: VoucherAction, now: datetime, changes: dict[str, object]
) -> int:
    for portion in in_portions(serials):
        named = Voucher.objects.filter(tenant=tenant, serial__in=portion)
        found = {voucher.serial: voucher for voucher in named.select_for_update().defer("pin_hash")}
        for serial in portion:
            _check_step(serial, found.get(serial), action, now)
        named.update(**changes)
    return len(serials)


def _applies(
    vouchers: QuerySet[Voucher], allowed: frozenset[VoucherStatus], action: VoucherAction, now: datetime
) -> QuerySet[Voucher]:
    found = vouchers.filter(status__in=sorted(allowed))
    return found if action in _ALSO_AFTER_THE_END else found.filter(expires_at__gt=now)


def _check_step(serial: str, voucher: Voucher | None, action: VoucherAction, now: datetime) -> None:
    if voucher is None:
        raise NotFound(f"there is no voucher {serial}", where="serials")
    status = VoucherStatus(voucher.status) if action in _ALSO_AFTER_THE_END else voucher.status_at(now)
    if status not in STEPS[action].allowed:
        raise Conflict(
            f"voucher {serial} is {voucher.status_at(now)} and cannot be {_done(action)}", code="wrong_status"
        )


def _done(action: VoucherAction) -> str:
    return {"void": "voided", "activate": "activated"}.get(action, f"{action}ed")
