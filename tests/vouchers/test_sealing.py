"""Sealed files: open for their recipient, in this product and with age itself, and for nobody else."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

import pytest

from apps.kernel.errors import InvalidInput
from apps.vouchers.services import sealing
from apps.vouchers.services.sealing import open_with_passphrase, seal

PASSPHRASE = "correct horse battery"


@pytest.fixture(autouse=True)
def less_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """The passphrase's derivation is meant to be slow; the file says how slow, so any reader follows."""
    monkeypatch.setattr(sealing, "_SCRYPT_LOG_N", 10)


@pytest.fixture
def identity(tmp_path: Path) -> tuple[Path, str]:
    """A key pair of age's own making: the file with the private key, and the public one."""
    path = tmp_path / "identity"
    subprocess.run(["age-keygen", "-o", str(path)], check=True, capture_output=True)
    public = next(line.split()[-1] for line in path.read_text().splitlines() if "public key" in line)
    return path, public


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 200_000])
def test_age_opens_what_is_sealed_for_its_key(identity, tmp_path, size):
    key_file, public = identity
    content = os.urandom(size)
    sealed = tmp_path / "sealed.age"
    sealed.write_bytes(seal(content, recipient=public))
    opened = subprocess.run(["age", "-d", "-i", str(key_file), str(sealed)], capture_output=True, check=True)
    assert opened.stdout == content


def test_age_opens_what_is_sealed_with_a_passphrase(tmp_path):
    sealed, opened = tmp_path / "sealed.age", tmp_path / "opened"
    sealed.write_bytes(seal(b"serial,pin\n", passphrase=PASSPHRASE))
    # age asks for passphrases on a terminal alone.
    child, terminal = pty.fork()
    if child == 0:
        os.execvp("age", ["age", "-d", "-o", str(opened), str(sealed)])
    asked = b""
    while b"assphrase" not in asked:
        asked += os.read(terminal, 1024)
    os.write(terminal, PASSPHRASE.encode() + b"\n")
    try:
        while os.read(terminal, 1024):
            pass
    except OSError:
        pass  # The terminal is gone with its last reader.
    assert os.waitpid(child, 0)[1] == 0
    os.close(terminal)
    assert opened.read_bytes() == b"serial,pin\n"


@pytest.mark.parametrize("size", [0, 1, 65_536, 70_000])
def test_what_is_sealed_with_a_passphrase_opens_with_it_and_with_no_other(size):
    content = os.urandom(size)
    sealed = seal(content, passphrase=PASSPHRASE)
    assert content not in sealed or not content[1:]
    assert open_with_passphrase(sealed, PASSPHRASE) == content
    with pytest.raises(InvalidInput, match="passphrase is wrong"):
        open_with_passphrase(sealed, PASSPHRASE + " ")


def test_a_changed_octet_anywhere_keeps_it_shut():
    sealed = seal(b"serial,pin\n" * 3, passphrase=PASSPHRASE)
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises(InvalidInput):
            open_with_passphrase(bytes(changed), PASSPHRASE)


def test_a_file_that_is_cut_off_does_not_open():
    sealed = seal(os.urandom(150_000), passphrase=PASSPHRASE)
    body = len(sealed) - 150_000 - 3 * 16
    for end in (0, 10, body - 5, body, body + 65_552, body + 2 * 65_552, len(sealed) - 1):
        with pytest.raises(InvalidInput):
            open_with_passphrase(sealed[:end], PASSPHRASE)


@pytest.mark.parametrize(
    "recipient",
    [
        "age1",
        "AGE-SECRET-KEY-1QQQ",
        "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8q",  # the last letter is wrong
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        "ssh-ed25519 AAAA",
        "1",
    ],
)
def test_what_is_not_an_age_key_is_refused(recipient):
    with pytest.raises(InvalidInput, match="not an age public key"):
        seal(b"x", recipient=recipient)


def test_short_passphrases_and_ambiguous_orders_are_refused():
    with pytest.raises(InvalidInput, match="12 characters"):
        seal(b"x", passphrase="too short")
    with pytest.raises(InvalidInput, match="either"):
        seal(b"x")
    with pytest.raises(InvalidInput, match="either"):
        seal(b"x", passphrase=PASSPHRASE, recipient="age1…")
