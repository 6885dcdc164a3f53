"""The licence file: Base64 of 181 octets, a payload of 117 and its Ed25519 signature (RFC 8032) of 64.

The payload is little-endian without padding: magic ``MBSS``, version (u8), the customer's UUID as text (36 octets),
the end (i64, seconds since 1970), the feature mask (u32), the machine's id (64 octets, padded with NUL). It is µBSS's.
"""

from __future__ import annotations

import base64
import binascii
import struct
from datetime import UTC, datetime
from enum import IntFlag
from typing import NamedTuple
from uuid import UUID

from apps.kernel.errors import InvalidInput
from apps.licensing.domain.errors import (
    Expired,
    NoPublicKey,
    NotBase64,
    OtherMachine,
    WrongLength,
    WrongMagic,
    WrongSignature,
    WrongVersion,
)

MAGIC = b"MBSS"
VERSION = 1
_PAYLOAD = struct.Struct("<4sB36sqI64s")
SIGNATURE_OCTETS = 64
LICENCE_OCTETS = _PAYLOAD.size + SIGNATURE_OCTETS
MACHINE_ID_OCTETS = 64
DAY_S = 86_400
ALL_BITS = 0xFFFFFFFF


class Feature(IntFlag):
    """The modules that a licence unlocks, by their bits; bits without a name are for later releases."""

    PREPAID = 1
    CDR_LOADER = 2
    STATS = 4
    BILLING = 8
    BILL_FMT = 16
    CRM = 32
    DIAMETER = 64


ALL_FEATURES = Feature(sum(Feature))


class Licence(NamedTuple):
    """Who may run what, where and until when. It is valid until the UTC day of ``expires_at`` begins."""

    customer_id: UUID
    expires_at: int
    feature_mask: int
    machine_id: str

    @property
    def ends_at(self) -> datetime:
        """The first moment at which it is not valid any more."""
        return datetime.fromtimestamp(self.expires_at // DAY_S * DAY_S, UTC)

    @property
    def features(self) -> Feature:
        """The modules that this release knows."""
        return ALL_FEATURES & self.feature_mask

    def days_left(self, now: datetime) -> int:
        """Whole days until the end; 0 on the last day, negative after it."""
        return int((self.ends_at - now).total_seconds() // DAY_S)


def features_named(names: str) -> Feature:
    """``PREPAID,CRM`` or ``all``. Raises InvalidInput for a name that no module has."""
    if names.strip().lower() == "all":
        return ALL_FEATURES
    found = Feature(0)
    for name in filter(None, (part.strip().upper() for part in names.split(","))):
        if name not in Feature.__members__:
            raise InvalidInput(f"there is no module “{name}”; there are {', '.join(Feature.__members__)}")
        found |= Feature[name]
    return found


def sign(licence: Licence, private_key: bytes) -> str:
    """The licence file's text. ``private_key`` is the 32-octet seed of RFC 8032. Raises InvalidInput."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    machine_id = licence.machine_id.encode()
    if not 0 < len(machine_id) <= MACHINE_ID_OCTETS:
        raise InvalidInput(f"a machine's id has 1 to {MACHINE_ID_OCTETS} octets, not {len(machine_id)}")
    if not 0 <= licence.feature_mask <= ALL_BITS:
        raise InvalidInput("a feature mask has 32 bits")
    payload = _PAYLOAD.pack(
        MAGIC,
        VERSION,
        str(licence.customer_id).encode(),
        licence.expires_at,
        licence.feature_mask,
        machine_id,
    )
    return base64.b64encode(
        payload + Ed25519PrivateKey.from_private_bytes(private_key).sign(payload)
    ).decode()


def read(content: bytes, public_key: bytes) -> Licence:
    """The licence that a file holds, if ``public_key`` (32 octets) verifies it; each fault raises its own error."""
    try:
        octets = base64.b64decode(b"".join(content.split()), validate=True)
    except (binascii.Error, ValueError):
        raise NotBase64("it is not Base64 text; it was damaged on its way here") from None
    if len(octets) != LICENCE_OCTETS:
        raise WrongLength(f"it holds {len(octets)} octets; a licence has {LICENCE_OCTETS}")
    payload, signature = octets[: _PAYLOAD.size], octets[_PAYLOAD.size :]
    magic, version, customer_id, expires_at, feature_mask, machine_id = _PAYLOAD.unpack(payload)
    if magic != MAGIC:
        raise WrongMagic("it is not a licence of this product")
    if version != VERSION:
        raise WrongVersion(f"it is of version {version}; this release reads version {VERSION}")
    _verify(payload, signature, public_key)
    try:
        licence = Licence(
            UUID(customer_id.decode("ascii")), expires_at, feature_mask, machine_id.rstrip(b"\0").decode()
        )
        _ = licence.ends_at
    except (ValueError, OverflowError, OSError):
        raise WrongMagic("it is signed, and what it says cannot be read") from None
    return licence


def _verify(payload: bytes, signature: bytes, public_key: bytes) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, payload)
    except InvalidSignature:
        raise WrongSignature(
            "its signature is not the vendor's: it was edited, damaged, or made by others"
        ) from None
    except ValueError as error:
        raise NoPublicKey(f"the vendor's public key cannot be used: {error}") from None


def check(licence: Licence, machine_id: str, now: datetime) -> None:
    """Raises OtherMachine or Expired if the licence does not hold for this machine at this time."""
    if licence.machine_id != machine_id:
        raise OtherMachine(f"it is for the machine {licence.machine_id}; this one is {machine_id}")
    if now >= licence.ends_at:
        raise Expired(f"it ended when {licence.ends_at:%Y-%m-%d} began (UTC)")
