"""Who this side is, and on which terms it talks to a peer."""

from __future__ import annotations

from dataclasses import dataclass, field

from apps.diameter.protocol.codes import APPLICATION_CREDIT_CONTROL


@dataclass(frozen=True, slots=True)
class LocalNode:
    """What this side says of itself in CER and CEA.

    ``host_ip_addresses`` are Address values (``values.address_of_text``). ``origin_state_id`` grows with each start,
    which tells peers that sessions of an earlier run are gone; a server whose sessions outlive it keeps it.
    """

    origin_host: str
    origin_realm: str
    host_ip_addresses: tuple[bytes, ...]
    product_name: str = "BSS"
    vendor_id: int = 0
    firmware_revision: int = 1
    origin_state_id: int = 0
    supported_vendors: tuple[int, ...] = (10415,)
    applications: tuple[int, ...] = (APPLICATION_CREDIT_CONTROL,)


@dataclass(frozen=True, slots=True)
class PeerPolicy:
    """How strictly one peer is read, and for whom it may ask."""

    ignore_unknown_mandatory: bool = False
    """Pass over AVPs with the M bit that are not in the dictionary, rather than answer 5001."""
    realms: frozenset[str] = field(default_factory=frozenset)
    """Destination-Realms served beside this node's own, in small letters; ``*`` serves any."""
    hosts: frozenset[str] = field(default_factory=frozenset)
    """Destination-Hosts served beside this node's own, in small letters; ``*`` serves any."""
    max_requests_in_flight: int = 0
    """0 = the limit of all connections."""


DEFAULT_POLICY = PeerPolicy()
