"""Bounds on everything a peer can make this side hold or do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in octets, times in seconds. Every one of them has a reason to be finite."""

    max_message_octets: int = 65_536
    max_avps: int = 1_024
    """In one message, at all depths together."""
    max_depth: int = 12
    """Of groups within groups; Gy needs six."""
    max_requests_in_flight: int = 1_000
    """Requests of one connection that are not answered yet; more are answered 3004."""
    capabilities_timeout_s: float = 10.0
    """From the connection to its CER, and from a CER sent to its CEA."""
    watchdog_s: float = 30.0
    """Tw of RFC 3539; each is varied by what ``jitter`` returns. Not below 6."""
    probe_s: float = 4.0
    """For a peer to show that it lives, once another connection claims its name."""
    request_timeout_s: float = 10.0
    """For the answer to a request of this side (RAR, ASR)."""
    drain_timeout_s: float = 5.0
    """For requests in flight to be answered once the connection is to end."""
    disconnect_timeout_s: float = 3.0
    """From the DPR to its DPA, and from a DPA sent to the peer's closing."""


DEFAULT_LIMITS = Limits()
