"""What a licence is checked against, from this machine's files."""

from __future__ import annotations

import base64
import binascii
import contextlib
import fcntl
import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings

from apps.licensing import vendor_key
from apps.licensing.domain.errors import (
    LicenceError,
    LicenceMissing,
    NoMachineId,
    NoPublicKey,
    StateLost,
    StateTampered,
)
from apps.licensing.domain.known_time import KnownTime, advanced, digest_of, read_state, write_state
from apps.licensing.domain.licence import Licence, check, read

MACHINE_ID = Path("/etc/machine-id")
STATE_EVERY_S = 60
"""The known time is written at most so often."""


def machine_id() -> str:
    """The id in ``/etc/machine-id`` (machine-id(5))."""
    try:
        found = MACHINE_ID.read_text().strip()
    except OSError:
        found = ""
    if not found:
        raise NoMachineId(
            f"a licence is bound to the id in {MACHINE_ID}, which this machine has not; systemd-machine-id-setup makes "
            "one, and a container mounts its host's"
        )
    return found


def evaluation_key_file() -> Path:
    """The public key beside an evaluation licence."""
    return Path(settings.LICENSE_STATE).with_name("evaluation.pub")


def public_key() -> bytes:
    """The key that verifies licences: the packaged one; in a checkout, the setting's or that of the evaluation."""
    text = vendor_key.PUBLIC_KEY or settings.LICENSE_PUBLIC_KEY
    if not text:
        with contextlib.suppress(OSError):
            text = evaluation_key_file().read_text()
    if not text:
        raise NoPublicKey(
            "no public key is packaged or set (BSS_LICENSE_PUBLIC_KEY); “license evaluate” makes a key and a licence "
            "for trying the product"
        )
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 32:
        raise NoPublicKey("the vendor's public key is not Base64 of 32 octets (BSS_LICENSE_PUBLIC_KEY)")
    return key


def valid_licence(now: datetime) -> Licence:
    """The licence, if it holds here and now; notes that ``now`` has been. Raises LicenceError with the file's name."""
    path = Path(settings.LICENSE_FILE)
    try:
        try:
            content = path.read_bytes()
        except OSError as error:
            raise LicenceMissing(
                f"there is no licence to read: {error.strerror}; “license evaluate” gives a checkout one, "
                "“license machine” what the vendor asks for"
            ) from None
        key = public_key()
        licence = read(content, key)
        here = machine_id()
        check(licence, here, now)
        _keep_time(digest_of(content), key, here, now)
    except LicenceError as error:
        error.where = error.where or str(path)
        raise
    return licence


def _keep_time(digest: str, key: bytes, here: str, now: datetime) -> None:
    path = Path(settings.LICENSE_STATE)
    tolerance = timedelta(seconds=settings.LICENSE_CLOCK_TOLERANCE_S)
    try:
        with alone(path) as marker:
            known = _known(path, marker, digest, key, here)
            state = advanced(known, digest, now, tolerance)
            if known is None or digest not in known.digests or state.seconds >= known.seconds + STATE_EVERY_S:
                _write(path, write_state(state, key, here))
                _write(marker, ",".join(state.digests).encode())
    except OSError as error:
        raise LicenceError(f"the last known good time cannot be kept: {error}", where=str(path)) from error
    except LicenceError as error:
        error.where = str(path)
        raise


def _known(path: Path, marker: Path, digest: str, key: bytes, here: str) -> KnownTime | None:
    """The state; none for a licence that was never in use here, which begins one even where the old one is damaged."""
    try:
        in_use = digest in marker.read_text().split(",")
    except FileNotFoundError:
        in_use = False
    try:
        return read_state(path.read_bytes(), key, here)
    except FileNotFoundError:
        if in_use:
            raise StateLost(
                "the last known good time is gone; bring the file back from a backup, or have the licence issued again"
            ) from None
    except StateTampered as error:
        if in_use or not marker.exists():
            error.message += "; have the licence issued again"
            error.args = (error.message,)
            raise
    return None


@contextlib.contextmanager
def alone(path: Path) -> Iterator[Path]:
    """Holds the lock of the state; gives the marker that tells a lost state from a first start."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield path.with_name(f"{path.name}.used")


def _write(path: Path, content: bytes) -> None:
    """Writes the file whole or not at all: a killed process leaves the old one."""
    new = path.with_name(f"{path.name}.new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
