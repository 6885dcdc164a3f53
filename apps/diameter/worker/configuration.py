"""What a server process is told: from Django's settings, or by hand in tests and benchmarks."""

from __future__ import annotations

from dataclasses import dataclass, field

from apps.diameter.protocol.limits import Limits
from apps.diameter.protocol.node import LocalNode
from apps.diameter.protocol.values import address_of_text


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files. With ``ca``, peers must show a certificate that it signed."""

    certificate: str
    key: str
    ca: str = ""


@dataclass(frozen=True, slots=True)
class ServerConfiguration:
    """One server process. A port 0 takes a free one."""

    node: LocalNode
    bind: str = "127.0.0.1"
    port: int = 3868
    tls_port: int | None = None
    tls: TlsFiles | None = None
    reuse_port: bool = False
    cores: tuple[int, ...] = ()
    """The core that each process keeps to, in turn, and a lone one the first. Empty: the system decides."""
    accept_unknown_peers: bool = False
    limits: Limits = field(default_factory=Limits)
    max_requests: int = 10_000
    max_unintroduced: int = 100
    """Connections without a finished CER; each also has ``limits.capabilities_timeout_s``."""
    max_unknown_peers: int = 1_000
    """Connections of peers that are not configured. Configured ones have one each, always."""
    heartbeat_s: float = 2.0
    orders_s: float = 0.5
    probes_s: float = 0.5
    """How often connections are looked for whose peer came again."""
    counts_s: float = 5.0
    events_s: float = 1.0
    """How often top-ups, suspensions and changes of plan are looked for."""
    refresh_s: float = 10.0
    """How often the service map is read again."""
    supervision_s: float = 1.0
    """How often expired sessions are looked for."""
    freshness_s: float = 1.0
    """How often charging's cache of subscribers is prefetched."""


def node_for(origin_host: str, origin_realm: str, bind: str) -> LocalNode:
    """The server's identity; a server that listens everywhere says its loopback address if it knows no other."""
    address = bind if bind not in ("", "0.0.0.0", "::") else _own_address()
    # The sessions outlive the process, so its start is no news to peers: the state id stays.
    return LocalNode(origin_host, origin_realm, (address_of_text(address),), origin_state_id=1)


def _own_address() -> str:
    import socket

    try:
        return socket.gethostbyname(socket.gethostname())
    except OSError:
        return "127.0.0.1"


def from_settings() -> ServerConfiguration:
    """As the settings ``DIAMETER_…`` say."""
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured

    tls = None
    if settings.DIAMETER_TLS_CERTIFICATE or settings.DIAMETER_TLS_PORT:
        if not (settings.DIAMETER_TLS_CERTIFICATE and settings.DIAMETER_TLS_KEY):
            raise ImproperlyConfigured(
                "BSS_DIAMETER_TLS_PORT needs BSS_DIAMETER_TLS_CERTIFICATE and BSS_DIAMETER_TLS_KEY"
            )
        tls = TlsFiles(settings.DIAMETER_TLS_CERTIFICATE, settings.DIAMETER_TLS_KEY, settings.DIAMETER_TLS_CA)
    return ServerConfiguration(
        node_for(settings.DIAMETER_ORIGIN_HOST, settings.DIAMETER_ORIGIN_REALM, settings.DIAMETER_BIND),
        bind=settings.DIAMETER_BIND,
        port=settings.DIAMETER_PORT,
        tls_port=settings.DIAMETER_TLS_PORT or None,
        tls=tls,
        accept_unknown_peers=settings.DIAMETER_ACCEPT_UNKNOWN_PEERS,
        limits=Limits(
            max_message_octets=settings.DIAMETER_MAX_MESSAGE_OCTETS,
            max_requests_in_flight=settings.DIAMETER_MAX_REQUESTS_A_CONNECTION,
            watchdog_s=float(settings.DIAMETER_WATCHDOG_S),
            drain_timeout_s=float(settings.DIAMETER_DRAIN_S),
        ),
        max_requests=settings.DIAMETER_MAX_REQUESTS,
        max_unintroduced=settings.DIAMETER_MAX_UNINTRODUCED,
        max_unknown_peers=settings.DIAMETER_MAX_UNKNOWN_PEERS,
    )
