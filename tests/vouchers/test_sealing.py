"""Sealed files: open for their recipient, in this product and with age itself, and for no other key."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from apps.kernel.errors import InvalidInput
from apps.vouchers.services.sealing import open_with_passphrase, seal

PASSPHRASE = "correct horse battery"


@pytest.fixture
def identity(tmp_path: Path) -> tuple[Path, str]:
    """A key pair of age's own making: the file with the private key, and the public one."""
    path = tmp_path / "identity"
    subprocess.run(["age-keygen", "-o", str(path)], check=True, capture_output=True)
    public = next(line.split()[-1] for line in path.read_text().splitlines() if "public key" in line)
    return path, public


@pytest.mark.parametrize("size", [0, 200_000])
def test_age_opens_files_sealed_for_its_key(identity, tmp_path, size):
    key_file, public = identity
    content = os.urandom(size)
    sealed = tmp_path / "sealed.age"
    sealed.write_bytes(seal(content, recipient=public))
    opened = subprocess.run(["age", "-d", "-i", str(key_file), str(sealed)], capture_output=True, check=True)
    assert opened.stdout == content


def test_a_file_sealed_with_a_passphrase_opens_only_with_it_and_only_whole():
    content = os.urandom(1000)
    sealed = seal(content, passphrase=PASSPHRASE)
    assert content not in sealed
    assert open_with_passphrase(sealed, PASSPHRASE) == content
    changed = bytearray(sealed)
    changed[-20] ^= 1
    for file, passphrase in (
        (sealed, PASSPHRASE + " "),
        (bytes(changed), PASSPHRASE),
        (sealed[:-1], PASSPHRASE),
        (b"serial,pin\n", PASSPHRASE),
        (b"", PASSPHRASE),
    ):
        with pytest.raises(InvalidInput, match="passphrase is wrong, or"):
            open_with_passphrase(file, passphrase)


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
def test_a_text_that_is_no_age_key_is_refused(recipient):
    with pytest.raises(InvalidInput, match="not an age public key"):
        seal(b"x", recipient=recipient)


def test_short_passphrases_and_ambiguous_orders_are_refused():
    with pytest.raises(InvalidInput, match="12 characters"):
        seal(b"x", passphrase="too short")
    with pytest.raises(InvalidInput, match="either"):
        seal(b"x")
    with pytest.raises(InvalidInput, match="either"):
        seal(b"x", passphrase=PASSPHRASE, recipient="age1…")
