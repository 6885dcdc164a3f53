"""Secrets of clients at rest: sealed with a key that is derived from the platform's secret key."""

from __future__ import annotations

import base64
from hashlib import sha256

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings

from apps.kernel.errors import InvalidInput


def _fernet() -> Fernet:
    derived = sha256(b"bss api client keys\0" + settings.SECRET_KEY.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(derived))


def seal(secret: str) -> str:
    return _fernet().encrypt(secret.encode()).decode()


def unseal(sealed: str) -> str:
    """The secret; raises InvalidInput if it was sealed with another secret key (BSS_SECRET_KEY was changed)."""
    try:
        return _fernet().decrypt(sealed.encode()).decode()
    except InvalidToken:
        raise InvalidInput(
            "a client's key was sealed with another BSS_SECRET_KEY: retire it and make a new one",
            code="cannot_unseal",
        ) from None
