"""Capability negotiation: what two nodes have in common (RFC 6733 section 5.3)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from apps.diameter.protocol.codes import APPLICATION_RELAY, InbandSecurity, ResultCode
from apps.diameter.protocol.faults import DiameterFault


def advertised_applications(avps: dict[str, Any]) -> frozenset[int]:
    """The applications of a CER or CEA: Auth-, Acct- and those within Vendor-Specific-Application-Id."""
    found: set[int] = set(avps.get("Auth-Application-Id", ()))
    found.update(avps.get("Acct-Application-Id", ()))
    for group in avps.get("Vendor-Specific-Application-Id", ()):
        found.update(group[name] for name in ("Auth-Application-Id", "Acct-Application-Id") if name in group)
    return frozenset(found)


def common_applications(avps: dict[str, Any], own: Iterable[int]) -> frozenset[int]:
    """Those of ``own`` that the peer knows too. A relay knows all."""
    theirs = advertised_applications(avps)
    return frozenset(own) if APPLICATION_RELAY in theirs else theirs.intersection(own)


def check_capabilities(avps: dict[str, Any], own: Iterable[int], secured: bool) -> frozenset[int]:
    """The common applications. Raises the DiameterFault that the CEA is to carry if there is no common application."""
    common = common_applications(avps, own)
    if not common:
        theirs = ", ".join(str(number) for number in sorted(advertised_applications(avps))) or "none"
        raise DiameterFault(
            ResultCode.NO_COMMON_APPLICATION, f"no common application; the peer's are: {theirs}"
        )
    security = avps.get("Inband-Security-Id")
    if not secured and security and InbandSecurity.NO_INBAND_SECURITY not in security:
        raise DiameterFault(
            ResultCode.NO_COMMON_SECURITY, "in-band TLS is not offered here; connect to the TLS port instead"
        )
    return common
