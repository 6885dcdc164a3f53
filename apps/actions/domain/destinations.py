"""Where calls to URLs may go: to hosts and networks that the operator lists; if none is, to any public address.

An action's URL comes from a file, so without this it could reach all that the product's machine can reach.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from apps.kernel.errors import InvalidInput

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Target(NamedTuple):
    """Where a URL leads."""

    is_https: bool
    host: str
    port: int
    path: str


class NotAllowed(InvalidInput):
    """The URL leads where calls may not go; no retry helps."""

    code = "not_allowed"


class Allowed(NamedTuple):
    """Hosts (``*.partner.example``: and all below) and networks. Both empty: any public address."""

    hosts: tuple[str, ...] = ()
    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()

    def names(self, host: str) -> bool:
        return any(host == name or (name.startswith("*.") and host.endswith(name[1:])) for name in self.hosts)


def read_allowed(text: str) -> Allowed:
    """A list split by commas: ``crm.example, *.partner.example, 10.1.0.0/16``. Raises InvalidInput."""
    hosts, networks = [], []
    for part in (item.strip().casefold() for item in text.split(",")):
        if not part:
            continue
        try:
            networks.append(ipaddress.ip_network(part))
        except ValueError:
            if "/" in part or " " in part:
                raise InvalidInput(f"“{part}” is neither a host nor a network such as 10.1.0.0/16") from None
            hosts.append(part)
    return Allowed(tuple(hosts), tuple(networks))


def target_of(url: str) -> Target:
    """The parts of a URL. Raises NotAllowed unless it is http or https, with a host and without a password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise NotAllowed(f"“{url}” is not a URL: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise NotAllowed(f"“{url}” is not called; only http and https are")
    if parts.username is not None:
        raise NotAllowed("a URL with a password in it is not called: the receiver checks the signature")
    if any(character <= " " or character == "\x7f" for character in url):
        raise NotAllowed(f"“{url}” has blanks in it")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    is_https = parts.scheme == "https"
    return Target(is_https, parts.hostname.casefold(), port or (443 if is_https else 80), path)


def choose(target: Target, addresses: Iterable[str], allowed: Allowed) -> Sequence[str]:
    """Those of the host's addresses that may be called. Raises NotAllowed if there is none."""
    fine = [text for text in addresses if _may(target, _plain(ipaddress.ip_address(text)), allowed)]
    if not fine:
        where = "BSS_ACTIONS_HOSTS lists" if allowed != Allowed() else "public addresses"
        raise NotAllowed(f"{target.host} is not called: calls go to {where} only")
    return fine


def _plain(address: Address) -> Address:
    """An IPv4 address that is written as IPv6 is that IPv4 address."""
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped if mapped is not None else address


def _may(target: Target, address: Address, allowed: Allowed) -> bool:
    if any(address in network for network in allowed.networks):
        return True
    if allowed.names(target.host):
        return True
    return allowed == Allowed() and address.is_global and not address.is_multicast
