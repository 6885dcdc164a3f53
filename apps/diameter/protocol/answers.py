"""Answers that report the fault of a request, made from its readable part."""

from __future__ import annotations

from struct import Struct

from apps.diameter.protocol.codes import (
    APPLICATION_CREDIT_CONTROL,
    AVP_VENDOR,
    FLAG_ERROR,
    FLAG_PROXIABLE,
    HEADER_BYTES,
    CcRequestType,
    Command,
    is_protocol_error,
)
from apps.diameter.protocol.dictionary import BY_NAME
from apps.diameter.protocol.encoding import encode_avps
from apps.diameter.protocol.faults import DiameterFault
from apps.diameter.protocol.header import Header, write_message
from apps.diameter.protocol.node import LocalNode

MAX_ERROR_MESSAGE_CHARACTERS = 200

_HEAD = Struct(">II").unpack_from
_ECHOED = {
    BY_NAME[name].code: name
    for name in ("Session-Id", "CC-Request-Type", "CC-Request-Number", "CC-Sub-Session-Id")
}
_PROXY_INFO = BY_NAME["Proxy-Info"].code
_OF_A_SESSION = frozenset((Command.CREDIT_CONTROL, Command.RE_AUTH, Command.ABORT_SESSION))


def error_answer(node: LocalNode, header: Header, data: bytes, fault: DiameterFault) -> bytes:
    """The answer to the request in ``data``, with any other faults in it.

    3xxx answers carry the E bit, and so do those whose own grammar cannot be met for lack of an AVP to echo; such
    an answer has the form that RFC 6733 section 7.2 gives it. Others are answers of their command.
    """
    found, proxies = _echoes(data)
    head: dict[str, object] = {}
    if header.command in _OF_A_SESSION or header.command not in set(Command):
        head["Session-Id"] = found.get("Session-Id")
    head |= {
        "Result-Code": int(fault.result_code),
        "Origin-Host": node.origin_host,
        "Origin-Realm": node.origin_realm,
    }
    is_error = is_protocol_error(fault.result_code) or not _can_meet_grammar(header, found)
    if not is_error:
        head |= _members_of_command(node, header, found)
    head["Error-Message"] = fault.message[:MAX_ERROR_MESSAGE_CHARACTERS]
    head["Failed-AVP"] = fault.failed_avp
    flags = (header.flags & FLAG_PROXIABLE) | (FLAG_ERROR if is_error else 0)
    return write_message(
        flags,
        header.command,
        header.application,
        header.hop_by_hop,
        header.end_to_end,
        encode_avps(head) + b"".join(proxies),
    )


def capabilities(node: LocalNode) -> dict[str, object]:
    """What CER and CEA say of this node, after its host and realm."""
    return {
        "Host-IP-Address": list(node.host_ip_addresses),
        "Vendor-Id": node.vendor_id,
        "Product-Name": node.product_name,
        "Origin-State-Id": node.origin_state_id or None,
        "Supported-Vendor-Id": list(node.supported_vendors),
        "Auth-Application-Id": list(node.applications),
        "Firmware-Revision": node.firmware_revision,
    }


def _can_meet_grammar(header: Header, found: dict[str, object]) -> bool:
    if header.command == Command.CREDIT_CONTROL:
        return "Session-Id" in found and "CC-Request-Type" in found and "CC-Request-Number" in found
    if header.command in (Command.RE_AUTH, Command.ABORT_SESSION):
        return "Session-Id" in found
    return header.command in (Command.CAPABILITIES_EXCHANGE, Command.DEVICE_WATCHDOG, Command.DISCONNECT_PEER)


def _members_of_command(node: LocalNode, header: Header, found: dict[str, object]) -> dict[str, object]:
    if header.command == Command.CREDIT_CONTROL:
        return {
            "Auth-Application-Id": APPLICATION_CREDIT_CONTROL,
            "CC-Request-Type": found["CC-Request-Type"],
            "CC-Request-Number": found["CC-Request-Number"],
            "CC-Sub-Session-Id": found.get("CC-Sub-Session-Id"),
        }
    if header.command == Command.CAPABILITIES_EXCHANGE:
        return capabilities(node)
    return {}


def _echoes(data: bytes) -> tuple[dict[str, object], list[bytes]]:
    """What an answer repeats, as far as the top level of the request can be read."""
    found: dict[str, object] = {}
    proxies: list[bytes] = []
    position, end = HEADER_BYTES, len(data)
    while end - position >= 8:
        code, word = _HEAD(data, position)
        after = position + (word & 0xFFFFFF)
        if word >> 24 & AVP_VENDOR:
            if after < position + 12:
                break
        elif after < position + 8 or after > end:
            break
        elif code == _PROXY_INFO:
            whole = data[position : after + 3 & -4]
            proxies.append(whole + bytes(-len(whole) % 4))
        elif code in _ECHOED:
            name = _ECHOED[code]
            value = _read_echo(name, data[position + 8 : after])
            if value is not None:
                found.setdefault(name, value)
        position = after + 3 & -4
    return found, proxies


def _read_echo(name: str, octets: bytes) -> object:
    """The value if it can be sent again as one of its type, else None."""
    if name == "Session-Id":
        try:
            return octets.decode() or None
        except UnicodeDecodeError:
            return None
    if len(octets) != (8 if name == "CC-Sub-Session-Id" else 4):
        return None
    number = int.from_bytes(octets, "big")
    return None if name == "CC-Request-Type" and number not in set(CcRequestType) else number
