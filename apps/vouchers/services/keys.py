"""The keys under which PINs are hashed: from the environment, or a file that is made at its first use.

The file has a line for each key, ``ID BASE64``, the one for new vouchers first. It is read again when it changes, so
that a new key needs no restart.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from django.conf import settings

from apps.kernel.errors import BssError, Conflict
from apps.vouchers.domain.vouchers import MIN_KEY_OCTETS

_LONGEST_ID = 16


class KeysUnusable(BssError):
    """The keys cannot be read; without them no PIN can be checked."""

    code = "voucher_keys_unusable"


class KeyRing(NamedTuple):
    """The id of the key for new vouchers, and every key by its id."""

    current: str
    keys: Mapping[str, bytes]


_read: tuple[tuple[str, int, int, int], KeyRing] | None = None


def key_ring() -> KeyRing:
    """The keys as they are now. Raises KeysUnusable with the reason, never with a key."""
    global _read
    text = settings.VOUCHER_KEYS
    if text:
        return _ring([part.partition(":")[::2] for part in text.split(",")], "BSS_VOUCHER_KEYS")
    path = Path(settings.VOUCHER_KEY_FILE)
    try:
        found = path.stat()
    except FileNotFoundError:
        _make(path)
        found = path.stat()
    state = (str(path), found.st_ino, found.st_mtime_ns, found.st_size)
    if _read is None or _read[0] != state:
        lines = [line.split() for line in path.read_text().splitlines() if line.strip()]
        _read = (state, _ring([(line[0], "".join(line[1:])) for line in lines], str(path)))
    return _read[1]


def add_key() -> str:
    """Put a new key first in the file, for the vouchers of from now on; its id. Old keys stay for old vouchers."""
    if settings.VOUCHER_KEYS:
        raise Conflict("the keys are in BSS_VOUCHER_KEYS: put the new one first there", code="keys_elsewhere")
    path, ring = Path(settings.VOUCHER_KEY_FILE), key_ring()
    number = 1 + max(
        [int(known[1:]) for known in ring.keys if known[:1] == "k" and known[1:].isdigit()] or [0]
    )
    key_id = f"k{number}"
    _replace(path, f"{_line(key_id)}{path.read_text()}")
    return key_id


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _written_aside(path, _line("k1"))
    # Another process may have been first; then its key is the one.
    with contextlib.suppress(FileExistsError):
        os.link(temporary, path)
    temporary.unlink()


def _replace(path: Path, text: str) -> None:
    os.replace(_written_aside(path, text), path)


def _written_aside(path: Path, text: str) -> Path:
    temporary = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        # Vouchers must never outlive the only copy of their key.
        os.fsync(file.fileno())
    return temporary


def _line(key_id: str) -> str:
    return f"{key_id} {base64.b64encode(secrets.token_bytes(MIN_KEY_OCTETS)).decode()}\n"


def _ring(pairs: list[tuple[str, str]], where: str) -> KeyRing:
    keys: dict[str, bytes] = {}
    for number, (key_id, text) in enumerate(pairs, 1):
        try:
            key = base64.b64decode(text.strip(), validate=True)
        except binascii.Error:
            raise KeysUnusable(f"key {number} is not base64", where=where) from None
        if not key_id.strip() or len(key_id.strip()) > _LONGEST_ID:
            raise KeysUnusable(f"key {number} needs an id of 1 to {_LONGEST_ID} characters", where=where)
        if len(key) < MIN_KEY_OCTETS:
            raise KeysUnusable(f"key {number} is shorter than {MIN_KEY_OCTETS} octets", where=where)
        if key_id.strip() in keys:
            raise KeysUnusable(f"two keys are called “{key_id.strip()}”", where=where)
        keys[key_id.strip()] = key
    if not keys:
        raise KeysUnusable("there is no key", where=where)
    return KeyRing(next(iter(keys)), keys)
