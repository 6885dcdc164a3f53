"""Export of a generated batch's PINs, once: a sealed CSV file for the printer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from apps.charging.domain.balances import BalanceKind
from apps.kernel.currencies import decimals_of
from apps.kernel.errors import InvalidInput
from apps.kernel.money import format_micros
from apps.rating.models import Tenant
from apps.vouchers.models import VoucherBatch
from apps.vouchers.services.batches import GeneratedBatch, NewBatch, generate_batch
from apps.vouchers.services.sealing import check_passphrase, check_recipient, seal


class SealedBatch(NamedTuple):
    """A batch and the age file with its PINs, which cannot be had again."""

    batch: VoucherBatch
    file_name: str
    content: bytes


def generate_sealed(
    tenant: Tenant,
    new: NewBatch,
    now: datetime,
    *,
    key: str,
    by: str = "",
    passphrase: str = "",
    recipient: str = "",
    report: Callable[[int], object] | None = None,
) -> SealedBatch:
    """InsertVoucher with the PINs sealed (age format) for ``recipient`` (``age1…``) or with ``passphrase``.

    As :func:`apps.vouchers.services.batches.generate_batch`; a recipient or passphrase that cannot be used is
    refused before anything is generated.
    """
    if bool(passphrase) == bool(recipient):
        raise InvalidInput("give either a passphrase or a recipient's public key", where="recipient")
    handover = VoucherBatch.Handover.RECIPIENT if recipient else VoucherBatch.Handover.PASSPHRASE
    if recipient:
        check_recipient(recipient)
    else:
        check_passphrase(passphrase)
    made = generate_batch(tenant, new._replace(handover=handover.value), now, key=key, by=by, report=report)
    content = seal(as_csv(made), passphrase=passphrase, recipient=recipient)
    return SealedBatch(made.batch, f"vouchers-{made.batch.pk:06d}.csv.age", content)


def as_csv(made: GeneratedBatch) -> bytes:
    """``serial,pin,value,unit,valid_from,expires_at``, a line a voucher; money as a decimal in the currency."""
    batch = made.batch
    if batch.kind == BalanceKind.MONETARY:
        value, unit = format_micros(batch.amount_micros, decimals_of(batch.currency)), batch.currency
    else:
        value, unit = str(batch.units), batch.kind
    tail = f"{value},{unit},{batch.valid_from:%Y-%m-%dT%H:%M:%SZ},{batch.expires_at:%Y-%m-%dT%H:%M:%SZ}"
    lines = [f"{voucher.serial},{voucher.pin},{tail}\n" for voucher in made.vouchers]
    return ("serial,pin,value,unit,valid_from,expires_at\n" + "".join(lines)).encode()
