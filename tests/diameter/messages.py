"""Builders of messages for tests: a gateway's requests, whole or with one thing wrong."""

from __future__ import annotations

from typing import Any

from apps.diameter.protocol.codes import FLAG_PROXIABLE, FLAG_REQUEST, Command
from apps.diameter.protocol.encoding import encode_avps
from apps.diameter.protocol.header import write_message
from apps.diameter.protocol.node import LocalNode
from apps.diameter.protocol.values import address_of_text

SERVER = LocalNode("ocs.test", "operator.test", (address_of_text("127.0.0.1"),), origin_state_id=7)
GATEWAY = LocalNode("pgw.test", "visited.test", (address_of_text("127.0.0.2"),), product_name="gateway")
SESSION_ID = "pgw.test;1700000000;42"


def raw_avp(
    code: int, data: bytes, *, flags: int = 0x40, vendor: int = 0, length: int | None = None
) -> bytes:
    """An AVP of any code, flags and claimed length, padded with octets that are not zero."""
    if vendor:
        flags |= 0x80
    header = 12 if vendor else 8
    size = header + len(data) if length is None else length
    head = code.to_bytes(4, "big") + bytes([flags]) + size.to_bytes(3, "big")
    if vendor:
        head += vendor.to_bytes(4, "big")
    return head + data + b"\x0d" * (-(header + len(data)) % 4)


def ccr_avps(request_type: int = 1, number: int = 0, **changes: Any) -> dict[str, Any]:
    """The AVPs of a sound CCR; ``changes`` replace some (underscores for hyphens), None leaves one out."""
    avps: dict[str, Any] = {
        "Session-Id": SESSION_ID,
        "Origin-Host": "pgw.test",
        "Origin-Realm": "visited.test",
        "Destination-Realm": "operator.test",
        "Auth-Application-Id": 4,
        "Service-Context-Id": "32251@3gpp.org",
        "CC-Request-Type": request_type,
        "CC-Request-Number": number,
        "Event-Timestamp": 1_700_000_000,
        "Subscription-Id": [
            {"Subscription-Id-Type": 0, "Subscription-Id-Data": "491700000001"},
            {"Subscription-Id-Type": 1, "Subscription-Id-Data": "262010000000001"},
        ],
    }
    avps.update({name.replace("_", "-"): value for name, value in changes.items()})
    return {name: value for name, value in avps.items() if value is not None}


def message(
    command: int,
    avps: dict[str, Any] | bytes,
    *,
    flags: int = FLAG_REQUEST | FLAG_PROXIABLE,
    application: int = 4,
    hop_by_hop: int = 11,
    end_to_end: int = 22,
) -> bytes:
    return write_message(
        flags,
        command,
        application,
        hop_by_hop,
        end_to_end,
        avps if isinstance(avps, bytes) else encode_avps(avps),
    )


def ccr(
    request_type: int = 1, number: int = 0, *, extra: bytes = b"", hop_by_hop: int = 11, **changes: Any
) -> bytes:
    """A CCR; ``extra`` octets come after its AVPs."""
    return message(
        Command.CREDIT_CONTROL,
        encode_avps(ccr_avps(request_type, number, **changes)) + extra,
        hop_by_hop=hop_by_hop,
    )


def cer(node: LocalNode = GATEWAY, **changes: Any) -> bytes:
    avps: dict[str, Any] = {
        "Origin-Host": node.origin_host,
        "Origin-Realm": node.origin_realm,
        "Host-IP-Address": list(node.host_ip_addresses),
        "Vendor-Id": 0,
        "Product-Name": node.product_name,
        "Auth-Application-Id": [4],
    }
    avps.update({name.replace("_", "-"): value for name, value in changes.items()})
    return message(
        Command.CAPABILITIES_EXCHANGE,
        {name: value for name, value in avps.items() if value is not None},
        flags=FLAG_REQUEST,
        application=0,
    )


def dwr(node: LocalNode = GATEWAY, hop_by_hop: int = 12) -> bytes:
    return message(
        Command.DEVICE_WATCHDOG,
        {"Origin-Host": node.origin_host, "Origin-Realm": node.origin_realm},
        flags=FLAG_REQUEST,
        application=0,
        hop_by_hop=hop_by_hop,
    )


def dpr(cause: int = 0, node: LocalNode = GATEWAY) -> bytes:
    return message(
        Command.DISCONNECT_PEER,
        {"Origin-Host": node.origin_host, "Origin-Realm": node.origin_realm, "Disconnect-Cause": cause},
        flags=FLAG_REQUEST,
        application=0,
    )
