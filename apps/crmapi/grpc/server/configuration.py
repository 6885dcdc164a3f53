"""What the gRPC server is started with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import grpc
from django.conf import settings

from apps.crmapi.grpc.server.certificates import development_certificate
from apps.kernel.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class ServerConfiguration:
    """Where to listen, how, and within which limits; ``trust`` is the file that clients are given, if made here."""

    bind: str
    port: int
    credentials: grpc.ServerCredentials | None
    """None = plaintext, which was asked for by name."""
    transport: str
    trust: Path | None
    threads: int
    max_message_octets: int
    max_calls: int
    max_call_s: float
    max_stream_s: float
    drain_s: float
    reflection: bool
    reuse_port: bool = False


def from_settings(*, bind: str, port: int, insecure_plaintext: bool, now: datetime) -> ServerConfiguration:
    """The configuration of the settings BSS_GRPC_…; raises InvalidInput with the setting that is wrong."""
    credentials, transport, trust = (None, "plaintext", None) if insecure_plaintext else _credentials(now)
    return ServerConfiguration(
        bind=bind,
        port=port,
        credentials=credentials,
        transport=transport,
        trust=trust,
        threads=settings.GRPC_THREADS,
        max_message_octets=settings.GRPC_MAX_MESSAGE_OCTETS,
        max_calls=settings.GRPC_MAX_CALLS,
        max_call_s=settings.GRPC_MAX_CALL_S,
        max_stream_s=settings.GRPC_MAX_STREAM_S,
        drain_s=settings.GRPC_DRAIN_S,
        reflection=settings.GRPC_REFLECTION,
    )


def _credentials(now: datetime) -> tuple[grpc.ServerCredentials, str, Path | None]:
    certificate: str | Path = settings.GRPC_TLS_CERTIFICATE
    key: str | Path = settings.GRPC_TLS_KEY
    trust = None
    if bool(certificate) != bool(key):
        raise InvalidInput("BSS_GRPC_TLS_CERTIFICATE and BSS_GRPC_TLS_KEY belong together: give both")
    if not certificate:
        files = development_certificate(settings.VAR_DIR / "grpc", settings.GRPC_TLS_NAMES, now)
        certificate, key, trust = files.certificate, files.key, files.authority
    authority = settings.GRPC_TLS_CLIENT_CA
    credentials = grpc.ssl_server_credentials(
        [(_read(key, "BSS_GRPC_TLS_KEY"), _read(certificate, "BSS_GRPC_TLS_CERTIFICATE"))],
        root_certificates=_read(authority, "BSS_GRPC_TLS_CLIENT_CA") if authority else None,
        require_client_auth=bool(authority),
    )
    return credentials, "mutual TLS" if authority else "TLS", trust


def _read(path: str | Path, setting: str) -> bytes:
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}", where=setting) from None
    if b"-----BEGIN" not in content:
        raise InvalidInput(f"{path} is not a PEM file", where=setting)
    return content
