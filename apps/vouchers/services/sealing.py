"""Files that only their recipient can read: the age format, version 1 (age-encryption.org/v1).

Sealed for a recipient's X25519 key (``age1…``, made with ``age-keygen``) or with a passphrase; opened with ``age -d``,
on any system, without this product. Encryption is ChaCha20-Poly1305 in chunks, each authenticated, the last one marked.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from apps.kernel.errors import InvalidInput

MIN_PASSPHRASE = 12
RECIPIENT_PREFIX = "age"
_VERSION = b"age-encryption.org/v1"
_SCRYPT_LABEL = b"age-encryption.org/v1/scrypt"
_X25519_LABEL = b"age-encryption.org/v1/X25519"
_CHUNK = 64 * 1024
_TAG = 16
# 2 to the power of it: 128 MiB and about half a second, what age itself takes.
_SCRYPT_LOG_N = 17
_SCRYPT_MOST_LOG_N = 20
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_ZERO_NONCE = bytes(12)


def seal(content: bytes, *, passphrase: str = "", recipient: str = "") -> bytes:
    """``content`` as an age file for one of the two. Raises InvalidInput for an unusable one."""
    if bool(passphrase) == bool(recipient):
        raise InvalidInput("give either a passphrase or a recipient", where="recipient")
    file_key = os.urandom(16)
    stanza = _for_recipient(file_key, recipient) if recipient else _for_passphrase(file_key, passphrase)
    header = b"%b\n%b---" % (_VERSION, stanza)
    nonce = os.urandom(16)
    body = _encrypt(_derive(file_key, nonce, b"payload"), content)
    return b"%b %b\n%b%b" % (header, _base64(_mac(file_key, header)), nonce, body)


def open_with_passphrase(sealed: bytes, passphrase: str) -> bytes:
    """The content of an age file that :func:`seal` or ``age -p`` made. Raises InvalidInput where it does not open."""
    head, separator, rest = sealed.partition(b"\n--- ")
    mac, newline, payload = rest.partition(b"\n")
    lines = head.split(b"\n")
    arguments = lines[1].split(b" ") if len(lines) > 2 else []
    if not separator or not newline or lines[0] != _VERSION or arguments[:2] != [b"->", b"scrypt"]:
        raise InvalidInput("this is not a file sealed with a passphrase")
    try:
        salt, log_n = _unbase64(arguments[2]), int(arguments[3])
        if not 1 <= log_n <= _SCRYPT_MOST_LOG_N:
            raise InvalidInput("this file asks for more work than is sensible")
        wrapping = _scrypt(passphrase, salt, log_n)
        file_key = ChaCha20Poly1305(wrapping).decrypt(_ZERO_NONCE, _unbase64(lines[2]), None)
        if not hmac.compare_digest(_mac(file_key, head + b"\n---"), _unbase64(mac)):
            raise InvalidInput("the file's head has been changed")
        return _decrypt(_derive(file_key, payload[:16], b"payload"), payload[16:])
    except InvalidTag:
        raise InvalidInput("the passphrase is wrong, or the file has been changed") from None
    except (ValueError, IndexError):
        raise InvalidInput("the file is damaged") from None


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


def _for_recipient(file_key: bytes, recipient: str) -> bytes:
    public = _public_key(recipient)
    own = X25519PrivateKey.generate()
    share = _raw(own.public_key())
    try:
        shared = own.exchange(public)
    except ValueError:
        raise InvalidInput("this recipient's key is not usable", where="recipient") from None
    wrapping = _derive(shared, share + _raw(public), _X25519_LABEL)
    wrapped = ChaCha20Poly1305(wrapping).encrypt(_ZERO_NONCE, file_key, None)
    return b"-> X25519 %b\n%b\n" % (_base64(share), _base64(wrapped))


def _for_passphrase(file_key: bytes, passphrase: str) -> bytes:
    check_passphrase(passphrase)
    salt = os.urandom(16)
    wrapped = ChaCha20Poly1305(_scrypt(passphrase, salt, _SCRYPT_LOG_N)).encrypt(_ZERO_NONCE, file_key, None)
    return b"-> scrypt %b %d\n%b\n" % (_base64(salt), _SCRYPT_LOG_N, _base64(wrapped))


def _scrypt(passphrase: str, salt: bytes, log_n: int) -> bytes:
    memory = 128 * 8 * (1 << log_n) + 2**20
    return hashlib.scrypt(
        passphrase.encode(), salt=_SCRYPT_LABEL + salt, n=1 << log_n, r=8, p=1, maxmem=memory, dklen=32
    )


def _derive(secret: bytes, salt: bytes, info: bytes) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=salt, info=info).derive(secret)


def _mac(file_key: bytes, header: bytes) -> bytes:
    return hmac.new(_derive(file_key, b"", b"header"), header, hashlib.sha256).digest()


def _encrypt(key: bytes, content: bytes) -> bytes:
    cipher = ChaCha20Poly1305(key)
    starts = range(0, len(content), _CHUNK) or range(1)
    return b"".join(
        cipher.encrypt(_nonce(number, start + _CHUNK >= len(content)), content[start : start + _CHUNK], None)
        for number, start in enumerate(starts)
    )


def _decrypt(key: bytes, body: bytes) -> bytes:
    cipher = ChaCha20Poly1305(key)
    size = _CHUNK + _TAG
    starts = range(0, len(body), size) or range(1)
    return b"".join(
        cipher.decrypt(_nonce(number, start + size >= len(body)), body[start : start + size], None)
        for number, start in enumerate(starts)
    )


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(11, "big") + (b"\1" if last else b"\0")


def _raw(key: X25519PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def _base64(value: bytes) -> bytes:
    return base64.b64encode(value).rstrip(b"=")


def _unbase64(text: bytes) -> bytes:
    value = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    if _base64(value) != text:
        # Bits of the last letter that mean nothing: another text for the same octets.
        raise ValueError("not the one way to write it")
    return value


# --- Bech32 (BIP 173), in which age writes its keys -----------------------------------------------------------------


def _public_key(recipient: str) -> X25519PublicKey:
    wrong = InvalidInput(
        "this is not an age public key; it looks like age1… and comes from age-keygen", where="recipient"
    )
    text = recipient.strip()
    if text != text.lower():
        raise wrong
    prefix, separator, data = text.rpartition("1")
    if not separator or prefix != RECIPIENT_PREFIX or any(letter not in _BECH32 for letter in data):
        raise wrong
    values = [_BECH32.index(letter) for letter in data]
    expanded = [ord(letter) >> 5 for letter in prefix] + [0] + [ord(letter) & 31 for letter in prefix]
    if len(values) < 6 or _checksum(expanded + values) != 1:
        raise wrong
    key = _to_octets(values[:-6])
    if key is None or len(key) != 32:
        raise wrong
    return X25519PublicKey.from_public_bytes(key)


def _checksum(values: list[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for place, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            if top >> place & 1:
                check ^= generator
    return check


def _to_octets(values: list[int]) -> bytes | None:
    """Groups of five bits as octets; None where the bits that are left over are not zeros."""
    bits = 0
    for value in values:
        bits = bits << 5 | value
    left = len(values) * 5 % 8
    if left >= 5 or bits & ((1 << left) - 1):
        return None
    return (bits >> left).to_bytes(len(values) * 5 // 8, "big")
