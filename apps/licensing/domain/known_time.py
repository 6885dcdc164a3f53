"""The last known good time: a clock that was turned back is found by it, and so is an edited file.

A state is one line, ``LKGT1 SECONDS DIGESTS MAC``: the greatest time seen (Unix, UTC), the SHA-256 digests of the
licences that were in use (split by commas), and an HMAC-SHA256 (RFC 2104) over both, keyed by the vendor's key and the
machine's id. So it cannot be edited by hand or taken to another machine; code that runs as the product can still make
one. A licence that was never in use here begins a new state: that is how a vendor helps after a clock had run ahead.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from apps.licensing.domain.errors import ClockRolledBack, StateTampered

_MAGIC = "LKGT1"


class KnownTime(NamedTuple):
    """The greatest time seen, in seconds since 1970, and the digests of the licences that were in use."""

    seconds: int
    digests: tuple[str, ...]


def digest_of(licence: bytes) -> str:
    """SHA-256 of a licence file without its white space, in hexadecimal."""
    return hashlib.sha256(b"".join(licence.split())).hexdigest()


def write_state(state: KnownTime, public_key: bytes, machine_id: str) -> bytes:
    """The state file's octets."""
    body = f"{_MAGIC} {state.seconds} {','.join(state.digests)}".encode()
    return b"%s %s\n" % (body, _mac(body, public_key, machine_id))


def read_state(content: bytes, public_key: bytes, machine_id: str) -> KnownTime:
    """Raises StateTampered for any octets that this machine did not write."""
    body, _, mac = content.removesuffix(b"\n").rpartition(b" ")
    if not hmac.compare_digest(mac, _mac(body, public_key, machine_id)):
        raise StateTampered("the last known good time was edited, damaged, or copied from another machine")
    _, seconds, digests = body.decode().split(" ")
    return KnownTime(int(seconds), tuple(digests.split(",")))


def advanced(known: KnownTime | None, licence_digest: str, now: datetime, tolerance: timedelta) -> KnownTime:
    """The state after ``now``. Raises ClockRolledBack for a clock behind the known time by more than the tolerance."""
    seconds = int(now.timestamp())
    if known is None or licence_digest not in known.digests:
        return KnownTime(seconds, (*(known.digests if known else ()), licence_digest))
    reached = datetime.fromtimestamp(known.seconds, UTC)
    if now < reached - tolerance:
        raise ClockRolledBack(
            f"the clock says {now:%Y-%m-%d %H:%M} UTC, but it has been {reached:%Y-%m-%d %H:%M} UTC; set it right"
        )
    return known._replace(seconds=max(seconds, known.seconds))


def _mac(body: bytes, public_key: bytes, machine_id: str) -> bytes:
    key = hashlib.sha256(b"last known good time\0" + public_key + machine_id.encode()).digest()
    return hmac.new(key, body, hashlib.sha256).hexdigest().encode()
