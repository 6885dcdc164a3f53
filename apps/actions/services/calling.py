"""One signed HTTP POST: to an address that was checked, with a time-out, without redirects."""

from __future__ import annotations

import hmac
import http.client
import secrets
import socket
import ssl
import time
from contextlib import closing, suppress
from hashlib import sha256
from pathlib import Path

from django.conf import settings

from apps.actions.domain.destinations import Target, choose, read_allowed, target_of

SIGNATURE = "X-BSS-Signature"
_LONGEST_ANSWER = 2_000


class CallFailed(Exception):
    """It was not taken; a later attempt may succeed."""


def post(url: str, body: bytes, key: str, at: int | None = None) -> None:
    """POST a JSON body. Raises CallFailed, or NotAllowed, which no attempt changes.

    Header ``X-BSS-Signature: t=<Unix seconds>,v1=<hex>`` is the HMAC-SHA256 of ``<t>.<body>`` under the key of
    BSS_ACTIONS_KEY; ``Idempotency-Key`` names the call, and is the same in a repeat.
    """
    target = target_of(url)
    stamp = int(time.time()) if at is None else at
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "bss-actions",
        "Idempotency-Key": key,
        SIGNATURE: f"t={stamp},v1={signature(body, stamp)}",
    }
    try:
        connection = _Connection(target, _address(target), float(settings.ACTIONS_CALL_TIMEOUT_S))
        with closing(connection):
            connection.request("POST", target.path, body, headers)
            answer = connection.getresponse()
            answer.read(_LONGEST_ANSWER)
    except (OSError, http.client.HTTPException) as error:
        raise CallFailed(f"{type(error).__name__}: {error}") from error
    if not 200 <= answer.status < 300:
        raise CallFailed(f"answered {answer.status} {answer.reason}")


def signature(body: bytes, stamp: int) -> str:
    """The HMAC of a body at a time, as hexadecimal text."""
    return hmac.new(_key(), b"%d." % stamp + body, sha256).hexdigest()


def _key() -> bytes:
    if settings.ACTIONS_KEY:
        return str(settings.ACTIONS_KEY).encode()
    path = Path(settings.ACTIONS_KEY_FILE)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        # Another process may be first; then its key is the one.
        with suppress(FileExistsError), path.open("x") as file:
            path.chmod(0o600)
            file.write(secrets.token_hex(32))
    return path.read_text().strip().encode()


def _address(target: Target) -> str:
    found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    return choose(target, [str(entry[4][0]) for entry in found], read_allowed(settings.ACTIONS_HOSTS))[0]


class _Connection(http.client.HTTPConnection):
    """Connects to the checked address: the name is not looked up a second time, when it might lead elsewhere."""

    def __init__(self, target: Target, address: str, timeout: float) -> None:
        super().__init__(target.host, target.port, timeout=timeout)
        self._target, self._address = target, address

    def connect(self) -> None:
        self.sock = socket.create_connection((self._address, self._target.port), self.timeout)
        if self._target.is_https:
            context = ssl.create_default_context()
            self.sock = context.wrap_socket(self.sock, server_hostname=self._target.host)
