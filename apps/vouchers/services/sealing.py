"""Files that only their recipient can read, in the age format (age-encryption.org/v1), by pyrage (rage in Rust).

Sealed for a recipient's X25519 key (``age1…``, made with ``age-keygen``) or with a passphrase; opened with ``age -d``,
on any system, without this product.
"""

from __future__ import annotations

import pyrage

from apps.kernel.errors import InvalidInput

MIN_PASSPHRASE = 12


def seal(content: bytes, *, passphrase: str = "", recipient: str = "") -> bytes:
    """``content`` as an age file for one of the two. Raises InvalidInput for an unusable one.

    A passphrase takes a second and some hundred MiB of memory, so that trying passphrases costs as much.
    """
    if bool(passphrase) == bool(recipient):
        raise InvalidInput("give either a passphrase or a recipient", where="recipient")
    if recipient:
        return bytes(pyrage.encrypt(content, [_public_key(recipient)]))
    check_passphrase(passphrase)
    return bytes(pyrage.passphrase.encrypt(content, passphrase))


def open_with_passphrase(sealed: bytes, passphrase: str) -> bytes:
    """The content of an age file that :func:`seal` or ``age -p`` made. Raises InvalidInput if it does not open."""
    try:
        return bytes(pyrage.passphrase.decrypt(sealed, passphrase))
    except pyrage.DecryptError:
        raise InvalidInput(
            "it does not open: the passphrase is wrong, or the file is not sealed with one or has been changed"
        ) from None


def check_recipient(recipient: str) -> None:
    """Raise InvalidInput unless ``recipient`` is an age public key."""
    _public_key(recipient)


def check_passphrase(passphrase: str) -> None:
    """Raise InvalidInput for a passphrase that is too short to protect money."""
    if len(passphrase) < MIN_PASSPHRASE:
        raise InvalidInput(
            f"a passphrase has {MIN_PASSPHRASE} characters or more; several words are good",
            where="passphrase",
        )


def _public_key(recipient: str) -> pyrage.x25519.Recipient:
    try:
        return pyrage.x25519.Recipient.from_str(recipient.strip())
    except pyrage.RecipientError:
        raise InvalidInput(
            "this is not an age public key; it looks like age1… and comes from age-keygen", where="recipient"
        ) from None
