"""A certificate authority for one test."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Files(NamedTuple):
    authority: str
    server_certificate: str
    server_key: str
    client_certificate: str
    client_key: str


def certificate_files(folder: Path) -> Files:
    """PEM files of an authority, a server on 127.0.0.1 and the client ``pgw.test``."""
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority_name = _name("test authority")
    authority = _certificate(
        authority_name, authority_name, authority_key.public_key(), authority_key, ca=True
    )
    _write(folder / "ca.pem", authority.public_bytes(serialization.Encoding.PEM))
    for name in ("ocs.test", "pgw.test"):
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate(_name(name), authority_name, key.public_key(), authority_key, host=name)
        _write(folder / f"{name}.pem", certificate.public_bytes(serialization.Encoding.PEM))
        _write(
            folder / f"{name}.key",
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ),
        )
    return Files(
        *(
            str(folder / name)
            for name in ("ca.pem", "ocs.test.pem", "ocs.test.key", "pgw.test.pem", "pgw.test.key")
        )
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _certificate(
    subject, issuer, public_key, signer, *, ca: bool = False, host: str = ""
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if host:
        names = [x509.DNSName(host), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(signer, hashes.SHA256())


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
