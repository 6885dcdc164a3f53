"""Whether a request is meant for this node (RFC 6733 section 6.1)."""

from __future__ import annotations

from typing import Any

from apps.diameter.protocol.codes import ResultCode
from apps.diameter.protocol.faults import DiameterFault
from apps.diameter.protocol.node import LocalNode, PeerPolicy


def check_destination(avps: dict[str, Any], node: LocalNode, policy: PeerPolicy) -> None:
    """Raise 3002, 3003 or 3005 for a request that belongs elsewhere; names compare without regard to case."""
    host = avps.get("Destination-Host")
    if host is not None and host != node.origin_host:
        small = host.lower()
        if small != node.origin_host.lower() and small not in policy.hosts and "*" not in policy.hosts:
            raise DiameterFault(
                ResultCode.UNABLE_TO_DELIVER, f"{host} is not this node and cannot be reached from it"
            )
    realm = avps.get("Destination-Realm")
    if realm is not None and realm != node.origin_realm:
        small = realm.lower()
        if small != node.origin_realm.lower() and small not in policy.realms and "*" not in policy.realms:
            raise DiameterFault(ResultCode.REALM_NOT_SERVED, f"the realm {realm} is not served here")
    for hop in avps.get("Route-Record", ()):
        if hop.lower() == node.origin_host.lower():
            raise DiameterFault(ResultCode.LOOP_DETECTED, "the request has been here before")
