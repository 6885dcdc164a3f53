"""Making keys and licences: the vendor's side, and an evaluation of this machine by itself."""

from __future__ import annotations

import base64
import os
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

from django.conf import settings

from apps.kernel.errors import Conflict, InvalidInput
from apps.licensing import vendor_key
from apps.licensing.domain.licence import ALL_FEATURES, DAY_S, Licence, sign
from apps.licensing.services.files import alone, evaluation_key_file, machine_id
from apps.licensing.services.gate import look_again

EVALUATION_DAYS = 30


def make_keys(private: Path) -> str:
    """Write a new private key (mode 600); returns the public one in Base64. Raises Conflict if the file is there."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    private.parent.mkdir(parents=True, exist_ok=True)
    try:
        with os.fdopen(os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(base64.b64encode(key.private_bytes_raw()) + b"\n")
    except FileExistsError:
        raise Conflict(f"{private} exists already; a key that is lost takes its licences with it") from None
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


def private_key(path: Path) -> bytes:
    """The key of ``make_keys``. Raises InvalidInput."""
    try:
        key = base64.b64decode(path.read_bytes().strip(), validate=True)
    except (OSError, ValueError) as error:
        raise InvalidInput(f"the private key cannot be read: {error}", where=str(path)) from None
    if len(key) != 32:
        raise InvalidInput("the private key is not Base64 of 32 octets", where=str(path))
    return key


def issue(
    customer_id: UUID, until: datetime, feature_mask: int, machine: str, key: bytes, now: datetime
) -> str:
    """A licence file's text, valid until the UTC day of ``until`` begins.

    The second of the day at which it is issued stands in the end's: so a licence that is issued again with the same
    terms is another file, and begins a new last known good time.
    """
    end = int(until.timestamp()) // DAY_S * DAY_S + int(now.timestamp()) % DAY_S
    return sign(Licence(customer_id, end, feature_mask, machine), key)


def issue_evaluation(now: datetime, days: int = EVALUATION_DAYS) -> Path | None:
    """A licence of all modules for this machine, by a key made here; None if there is a licence already.

    A packaged product takes its vendor's licences alone, so there it is refused (Conflict).
    """
    if vendor_key.PUBLIC_KEY or settings.LICENSE_PUBLIC_KEY:
        raise Conflict(
            "licences of this installation are verified by its vendor's key; ask the vendor for one"
        )
    path = Path(settings.LICENSE_FILE)
    # Several containers may start at once.
    with alone(Path(settings.LICENSE_STATE)):
        if path.exists():
            return None
        make_evaluation(path, evaluation_key_file(), machine_id(), now, days)
    look_again()
    return path


def make_evaluation(
    licence: Path, public: Path, machine: str, now: datetime, days: int = EVALUATION_DAYS
) -> None:
    """Write a licence of all modules and the key that verifies it; the key that made it is not kept."""
    private = public.with_suffix(".key")
    private.unlink(missing_ok=True)
    public_text = make_keys(private)
    text = issue(
        uuid4(), now + timedelta(days=days + 1), int(ALL_FEATURES), machine, private_key(private), now
    )
    private.unlink()
    public.write_text(public_text + "\n")
    licence.parent.mkdir(parents=True, exist_ok=True)
    licence.write_text(text + "\n")
