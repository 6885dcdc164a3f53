"""Generate batches of vouchers."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from django.conf import settings
from django.db import IntegrityError, transaction

from apps.charging.domain.balances import DEFAULT_TAG, BalanceKind
from apps.charging.models import LedgerBook
from apps.kernel.errors import Conflict, InvalidInput, NotFound, Problem
from apps.kernel.errors import InvalidInputs as SeveralProblems
from apps.rating.models import Bundle, Tenant
from apps.storage.bulk import database_instant, insert_rows
from apps.subscribers.selectors import in_portions
from apps.vouchers.domain.vouchers import (
    VoucherStatus,
    draw_pins,
    pin_digest,
    serial_of,
)
from apps.vouchers.models import Voucher, VoucherBatch
from apps.vouchers.services.keys import KeyRing, key_ring

ROWS_A_STATEMENT = 20_000
LONGEST_KEY = 100
MOST_DAYS = 3660
MOST_VALUE = 10**15
_BOOKS = (LedgerBook.Code.CASH, LedgerBook.Code.PROMOTION)
_COLUMNS = (
    "batch_id",
    "tenant_id",
    "serial",
    "pin_hash",
    "pin_key",
    "status",
    "valid_from",
    "expires_at",
    "changed_at",
    "changed_by",
    "reason",
    "msisdn",
    "cause",
)
# Draws that met a PIN in use; a second draw meets another one once in a great many millions.
_DRAWS = 3


class NewBatch(NamedTuple):
    """What to generate. ``value`` is micro-units for ``monetary`` vouchers, else seconds, octets or events.

    ``currency`` empty is the tenant's. ``tag`` empty is the default balance for money, else ``voucher-<kind>``.
    ``bundle`` (a code) is given for ``bundle_days`` as well, or, with a value of 0, instead. ``active`` False
    leaves the vouchers unusable until their batch is activated.
    """

    name: str
    count: int  # type: ignore[assignment]  # Of vouchers; tuple.count() is not wanted.
    value: int
    expires_at: datetime
    valid_from: datetime | None = None
    kind: str = BalanceKind.MONETARY.value
    currency: str = ""
    tag: str = ""
    balance_days: int | None = None
    bundle: str = ""
    bundle_days: int | None = None
    book: str = LedgerBook.Code.CASH.value
    active: bool = True
    handover: str = VoucherBatch.Handover.SHOWN.value


class PrintedVoucher(NamedTuple):
    """A voucher with its PIN: never stored, never logged, seen this once."""

    serial: str
    pin: str

    def __repr__(self) -> str:
        return f"PrintedVoucher({self.serial!r}, pin hidden)"


class GeneratedBatch(NamedTuple):
    """A batch and its PINs, which cannot be had again."""

    batch: VoucherBatch
    vouchers: Sequence[PrintedVoucher]

    def __repr__(self) -> str:
        return f"GeneratedBatch({self.batch}, {len(self.vouchers)} vouchers)"


def generate_batch(
    tenant: Tenant,
    new: NewBatch,
    now: datetime,
    *,
    key: str,
    by: str = "",
    randbelow: Callable[[int], int] = secrets.randbelow,
    report: Callable[[int], object] | None = None,
) -> GeneratedBatch:
    """InsertVoucher: make the batch and all of its vouchers in one transaction, or none.

    ``key`` names the order: a repeat raises Conflict (``already_generated``, the batch's number in ``where``), since
    its PINs are not kept. ``report`` is told how many vouchers stand. Raises InvalidInputs with every field
    that is wrong, NotFound for the bundle.
    """
    start = new.valid_from or now
    new = new._replace(
        valid_from=start, currency=new.currency or tenant.currency, tag=new.tag or _tag_of(new)
    )
    _check(new, key, now)
    bundle = _bundle_of(tenant, new)
    ring = key_ring()
    for draw in range(_DRAWS):
        pins = draw_pins(new.count, randbelow)
        try:
            with transaction.atomic():
                _refuse_repeat(tenant, key)
                if _pins_under_other_keys(tenant, pins, ring):
                    continue
                batch = VoucherBatch.objects.create(
                    tenant=tenant,
                    name=new.name.strip(),
                    kind=new.kind,
                    amount_micros=new.value if new.kind == BalanceKind.MONETARY else 0,
                    units=0 if new.kind == BalanceKind.MONETARY else new.value,
                    currency=new.currency,
                    tag=new.tag,
                    balance_days=new.balance_days,
                    bundle=bundle,
                    bundle_days=new.bundle_days,
                    book=new.book,
                    count=new.count,
                    valid_from=start,
                    expires_at=new.expires_at,
                    created_at=now,
                    created_by=by[:150],
                    handover=new.handover,
                    key=key,
                )
                _insert(batch, pins, ring, new.active, now, by, report)
        except IntegrityError:
            _refuse_repeat(tenant, key)
            if draw == _DRAWS - 1:
                raise
            continue
        printed = [PrintedVoucher(serial_of(batch.pk, place), pin) for place, pin in enumerate(pins, 1)]
        return GeneratedBatch(batch, printed)
    raise Conflict("no free PINs were found; try again", code="no_free_pins")


def _tag_of(new: NewBatch) -> str:
    return DEFAULT_TAG if new.kind == BalanceKind.MONETARY else f"voucher-{new.kind}"


def _bundle_of(tenant: Tenant, new: NewBatch) -> Bundle | None:
    if not new.bundle:
        return None
    bundle = Bundle.objects.filter(tenant=tenant, code=new.bundle).first()
    if bundle is None:
        raise NotFound(f"there is no bundle {new.bundle}", where="bundle")
    if bundle.retired_at is not None:
        raise Conflict(f"bundle {bundle.code} is retired", code="retired", where="bundle")
    if bundle.monthly_fee_micros:
        raise InvalidInput(
            f"bundle {bundle.code} has a monthly fee, which would be charged besides; choose one without",
            where="bundle",
        )
    return bundle


def _check(new: NewBatch, key: str, now: datetime) -> None:
    assert new.valid_from is not None
    problems = [
        Problem(where, message)
        for where, message, wrong in (
            ("name", "give the batch a name of up to 120 characters", not 0 < len(new.name.strip()) <= 120),
            ("key", f"a key has 1 to {LONGEST_KEY} characters", not 0 < len(key) <= LONGEST_KEY),
            (
                "count",
                f"a batch has 1 to {settings.VOUCHER_BATCH_LIMIT} vouchers, not {new.count}",
                not 0 < new.count <= settings.VOUCHER_BATCH_LIMIT,
            ),
            (
                "kind",
                f"“{new.kind}” is not a kind of balance; there are {', '.join(BalanceKind)}",
                new.kind not in set(BalanceKind),
            ),
            ("value", "a voucher without a bundle needs a value", new.value == 0 and not new.bundle),
            ("value", "the value must be positive, and at most 10^15", not 0 <= new.value <= MOST_VALUE),
            (
                "currency",
                f"“{new.currency}” is not a currency; write it like EUR",
                not (len(new.currency) == 3 and new.currency.isascii() and new.currency.isupper()),
            ),
            ("tag", "a balance's tag has up to 64 characters", len(new.tag) > 64),
            ("expires_at", "the vouchers would have expired already", new.expires_at <= now),
            (
                "expires_at",
                "the vouchers must expire after they become valid",
                new.expires_at <= new.valid_from,
            ),
            ("balance_days", f"give 1 to {MOST_DAYS} days", not _days_fine(new.balance_days)),
            ("bundle_days", f"give 1 to {MOST_DAYS} days", not _days_fine(new.bundle_days)),
            (
                "bundle_days",
                "a bundle needs the days for which it is given",
                bool(new.bundle) and not new.bundle_days,
            ),
            (
                "bundle_days",
                "these are days of a bundle, and none is named",
                bool(new.bundle_days) and not new.bundle,
            ),
            ("book", f"choose one of {', '.join(_BOOKS)}", new.book not in _BOOKS),
            ("handover", f"“{new.handover}” is not known", new.handover not in VoucherBatch.Handover.values),
        )
        if wrong
    ]
    if problems:
        raise SeveralProblems(problems)


def _days_fine(days: int | None) -> bool:
    return days is None or 0 < days <= MOST_DAYS


def _refuse_repeat(tenant: Tenant, key: str) -> None:
    former = VoucherBatch.objects.filter(tenant=tenant, key=key).first()
    if former is not None:
        raise Conflict(
            f"this order generated batch {former.pk} already; its PINs were handed over then and are not kept."
            " Void the batch and order another one if they were lost",
            code="already_generated",
            where=str(former.pk),
        )


def _pins_under_other_keys(tenant: Tenant, pins: Sequence[str], ring: KeyRing) -> bool:
    """Whether a PIN is in use under an older key, which the unique hash cannot show."""
    used = Voucher.objects.filter(tenant=tenant).exclude(pin_key=ring.current)
    for key_id, key in ring.keys.items():
        if key_id == ring.current or not used.filter(pin_key=key_id).exists():
            continue
        for portion in in_portions([pin_digest(key, tenant.pk, pin) for pin in pins]):
            if used.filter(pin_hash__in=portion).exists():
                return True
    return False


def _insert(
    batch: VoucherBatch,
    pins: Sequence[str],
    ring: KeyRing,
    active: bool,
    now: datetime,
    by: str,
    report: Callable[[int], object] | None,
) -> None:
    key, status = ring.keys[ring.current], VoucherStatus.ACTIVE if active else VoucherStatus.GENERATED
    head = (batch.pk, batch.tenant_id)
    tail = (
        ring.current,
        status.value,
        database_instant(batch.valid_from),
        database_instant(batch.expires_at),
        database_instant(now),
        by[:150],
        "",
        "",
        "",
    )
    for first in range(0, len(pins), ROWS_A_STATEMENT):
        portion = pins[first : first + ROWS_A_STATEMENT]
        rows = [
            (*head, serial_of(batch.pk, place), pin_digest(key, batch.tenant_id, pin), *tail)
            for place, pin in enumerate(portion, first + 1)
        ]
        insert_rows(Voucher._meta.db_table, _COLUMNS, rows)
        if report is not None:
            report(first + len(rows))
