"""Vouchers as values: PINs and their keyed hashes, and what a voucher's status allows.

A PIN is 16 digits drawn evenly, so that a guess succeeds with (vouchers that can be redeemed) / 10^16. It is
known in clear only to the person who generates it; stored is an HMAC-SHA256 under a key outside the database.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from apps.kernel.errors import InvalidInput

PIN_DIGITS = 16
MIN_KEY_OCTETS = 32
_GROUPING = re.compile(r"[\s.\-]+")
_PIN = re.compile(r"[0-9]{16}", re.ASCII)


def draw_pins(count: int, randbelow: Callable[[int], int]) -> list[str]:
    """``count`` different PINs from a cryptographic source such as :func:`secrets.randbelow`, in random order."""
    found: dict[str, None] = {}
    while len(found) < count:
        found[f"{randbelow(10**PIN_DIGITS):0{PIN_DIGITS}d}"] = None
    return list(found)


def parse_pin(text: str) -> str:
    """The 16 digits of a PIN as people type it, with spaces, dots or dashes between groups.

    Raises InvalidInput (``pin_format``) for anything else; the error does not repeat the input.
    """
    # Bounds the time of the substitution; no PIN is written in more characters.
    digits = _GROUPING.sub("", text) if len(text) <= 64 else ""
    if _PIN.fullmatch(digits) is None:
        raise InvalidInput(f"a voucher's PIN has {PIN_DIGITS} digits", code="pin_format", where="pin")
    return digits


def printed_pin(pin: str) -> str:
    """The PIN in groups of four, as it is printed on a card."""
    return " ".join(pin[place : place + 4] for place in range(0, len(pin), 4))


def pin_digest(key: bytes, tenant_id: int, pin: str) -> str:
    """The stored hash of a PIN (64 hexadecimal digits); it differs between tenants."""
    return hmac.new(key, f"voucher:{tenant_id}:{pin}".encode(), hashlib.sha256).hexdigest()


def pin_digests(keys: Mapping[str, bytes], tenant_id: int, pin: str) -> dict[str, str]:
    """The digests under every key that is in use, by the key's id: the PIN may have been made under any of them."""
    return {key_id: pin_digest(key, tenant_id, pin) for key_id, key in keys.items()}


def serial_of(batch_id: int, place: int) -> str:
    """The number by which support talks about a voucher; it says nothing of the PIN."""
    return f"{batch_id:06d}-{place:07d}"


class VoucherStatus(StrEnum):
    GENERATED = "generated"
    """Made, not to be redeemed before its batch is activated (cards under way)."""
    ACTIVE = "active"
    BLOCKED = "blocked"
    """Held back by staff; may be unblocked."""
    REDEEMED = "redeemed"
    EXPIRED = "expired"
    """Never stored: neither redeemed nor voided before its end."""
    VOID = "void"
    """Taken out for good."""


class VoucherAction(StrEnum):
    """What staff do to vouchers."""

    ACTIVATE = "activate"
    BLOCK = "block"
    UNBLOCK = "unblock"
    EXTEND = "extend"
    VOID = "void"


class Step(NamedTuple):
    """From which statuses an action leads where; None = the status stays."""

    allowed: frozenset[VoucherStatus]
    to: VoucherStatus | None


_OPEN = frozenset({VoucherStatus.GENERATED, VoucherStatus.ACTIVE, VoucherStatus.BLOCKED})
STEPS: Mapping[VoucherAction, Step] = {
    VoucherAction.ACTIVATE: Step(frozenset({VoucherStatus.GENERATED}), VoucherStatus.ACTIVE),
    VoucherAction.BLOCK: Step(frozenset({VoucherStatus.ACTIVE}), VoucherStatus.BLOCKED),
    VoucherAction.UNBLOCK: Step(frozenset({VoucherStatus.BLOCKED}), VoucherStatus.ACTIVE),
    VoucherAction.EXTEND: Step(_OPEN, None),
    VoucherAction.VOID: Step(_OPEN, VoucherStatus.VOID),
}


def status_at(stored: str, expires_at: datetime, now: datetime) -> VoucherStatus:
    """The status as it is now: an open voucher has expired once its time is over."""
    status = VoucherStatus(stored)
    return VoucherStatus.EXPIRED if status in _OPEN and expires_at <= now else status


def redeemable(stored: str, valid_from: datetime, expires_at: datetime, now: datetime) -> bool:
    return stored == VoucherStatus.ACTIVE and valid_from <= now < expires_at
