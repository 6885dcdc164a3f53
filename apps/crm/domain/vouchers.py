"""Vouchers as plain values; money in micro-units, units in seconds, octets, messages or events."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class BatchView:
    """Vouchers that were generated together. ``amount_micros`` is for money, ``units`` for the other kinds."""

    id: int
    name: str
    kind: str
    amount_micros: int
    units: int
    currency: str
    balance_tag: str
    balance_days: int | None
    bundle: str
    bundle_days: int | None
    count: int
    valid_from: datetime
    expires_at: datetime
    created_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True)
class VoucherView:
    """A voucher without its PIN; ``status`` is as at the asked instant, ``account_id`` whose who redeemed it."""

    id: int
    serial: str
    batch_id: int
    status: str
    kind: str
    amount_micros: int
    units: int
    currency: str
    bundle: str
    bundle_days: int | None
    valid_from: datetime
    expires_at: datetime
    account_id: int | None
    msisdn: str
    redeemed_at: datetime | None
    changed_at: datetime
    changed_by: str
    reason: str


@dataclass(frozen=True, slots=True)
class NewVoucher:
    """A voucher with its PIN, which is shown once: empty if a call is repeated."""

    serial: str
    pin: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class NewVouchers:
    batch: BatchView
    vouchers: tuple[NewVoucher, ...]


@dataclass(frozen=True, slots=True)
class ChangedVouchers:
    changed: int


@dataclass(frozen=True, slots=True)
class RedemptionLock:
    """Wrong PINs of an account, and whether they have locked it."""

    account_id: int
    locked: bool
    failures: int
    failed_at: datetime | None
    locked_at: datetime | None
    lifted_at: datetime | None
    lifted_by: str
    lift_reason: str
