"""Messages against an independent codec (python-diameter): octets of either are read alike by the other."""

from __future__ import annotations

from typing import Any

import pytest
from diameter import message as other_codec
from diameter.message import avp as avp_module
from diameter.message.avp import dictionary
from hypothesis import given

from apps.diameter.protocol.codes import FLAG_PROXIABLE, FLAG_REQUEST
from apps.diameter.protocol.decoding import decode_message
from apps.diameter.protocol.definitions import AvpDefinition, AvpType
from apps.diameter.protocol.dictionary import BY_NAME, DEFINITIONS
from apps.diameter.protocol.grammar.commands import COMMANDS
from tests.diameter.messages import message
from tests.diameter.strategies import commands

SAME_TYPE = {
    AvpType.OCTETS: {"OctetString"},
    AvpType.UTF8: {"Utf8String", "OctetString"},
    AvpType.UNSIGNED32: {"Unsigned32", "Integer32", "Enumerated"},
    AvpType.UNSIGNED64: {"Unsigned64"},
    AvpType.INTEGER32: {"Integer32", "Enumerated"},
    AvpType.INTEGER64: {"Integer64"},
    AvpType.ENUMERATED: {"Enumerated", "Integer32"},
    AvpType.GROUPED: {"Grouped"},
    AvpType.IDENTITY: {"OctetString", "Utf8String"},
    AvpType.TIME: {"Time"},
    AvpType.ADDRESS: {"Address"},
    AvpType.RAW: {"Grouped"},
}
# Where RFC 6733 says Unsigned32, the other dictionary has signed types at times.
# Where the other dictionary has another type, and why ours stays.
DIFFERENT = {
    "Failed-AVP": "kept as octets, so that it can be compared",
    "3GPP-IMSI": "what gateways send here is not always text",
    "3GPP-GPRS-Negotiated-QoS-Profile": "binary in real traffic",
    "3GPP-IMSI-MCC-MNC": "binary in real traffic",
    "3GPP-GGSN-MCC-MNC": "binary in real traffic",
    "3GPP-Session-Stop-Indicator": "one octet, not text",
    "3GPP-Selection-Mode": "one octet, not text",
    "3GPP-Charging-Characteristics": "binary in real traffic",
    "3GPP-SGSN-MCC-MNC": "binary in real traffic",
    "3GPP-PDP-Type": "an unsigned number in TS 29.061",
    "Restriction-Filter-Rule": "IPFilterRule is text",
    "Login-IP-Host": "four octets in RFC 7155, no Address",
    "Vendor-Specific": "whatever a RADIUS translator puts there",
    "Chargeable-User-Identity": "opaque octets in RFC 4372",
    "RADIUS-NAS-Filter-Rule": "rules split by NUL in RFC 4849",
}


def other_definition(definition: AvpDefinition) -> dict[str, Any] | None:
    if definition.vendor:
        return dictionary.AVP_VENDOR_DICTIONARY.get(definition.vendor, {}).get(definition.code)
    return dictionary.AVP_DICTIONARY.get(definition.code)


OTHER_NAMES = {
    "Acct-Multi-Session-Id": "Accounting-Multi-Session-Id",
    "SIP-Method": "3GPP-SIP-Method",
    "Acct-Tunnel-Connection": "Tunnel-Connection-ID",
    "Message-Authenticator": "Signature",
    "Chargeable-User-Identity": "CUI",
}


@pytest.mark.parametrize(
    "definition",
    [definition for definition in DEFINITIONS if other_definition(definition) is not None],
    ids=lambda definition: definition.name,
)
def test_the_dictionaries_agree(definition):
    other = other_definition(definition)

    assert other["name"] == OTHER_NAMES.get(definition.name, definition.name)
    if definition.name not in DIFFERENT:
        assert other["type"].__name__.removeprefix("Avp") in SAME_TYPE[definition.type]


def as_seen_by_other(avps: list[Any]) -> list[tuple[int, int, Any]]:
    return [
        (
            avp.code,
            avp.vendor_id,
            as_seen_by_other(avp.value) if isinstance(avp, avp_module.AvpGrouped) else avp.payload,
        )
        for avp in avps
    ]


def as_written(values: dict[str, Any]) -> list[tuple[int, int, Any]]:
    """The same from our values: (code, vendor, data octets or members)."""
    from apps.diameter.protocol.encoding import encode_avp

    found = []
    for name, value in values.items():
        definition = BY_NAME[name]
        for item in value if isinstance(value, list) else [value]:
            header = 12 if definition.vendor else 8
            other = other_definition(definition)
            if definition.type is AvpType.GROUPED and other is not None:
                data: Any = as_written(item)
            elif name == "Failed-AVP":
                data = as_seen_by_other([avp_module.Avp.from_bytes(item)])
            elif definition.type is AvpType.RAW:
                data = as_seen_by_other(avp_module.Avp.from_bytes(item).value)
            else:
                octets = encode_avp(name, item)
                data = octets[header : int.from_bytes(octets[5:8], "big")]
            found.append((definition.code, definition.vendor, data))
    return found


@given(commands(codes=(272, 258, 274)))
def test_the_other_codec_reads_what_this_one_writes(drawn):
    code, is_request, avps = drawn
    octets = message(
        code,
        avps,
        flags=(FLAG_REQUEST if is_request else 0) | FLAG_PROXIABLE,
        application=COMMANDS[code].application,
        hop_by_hop=7,
        end_to_end=8,
    )

    other = other_codec.Message.from_bytes(octets, plain_msg=True)

    assert other.header.length == len(octets)
    assert (other.header.command_code, other.header.is_request) == (code, is_request)
    assert (other.header.hop_by_hop_identifier, other.header.end_to_end_identifier) == (7, 8)
    assert as_seen_by_other(other.avps) == as_written(avps)


@given(commands(codes=(272, 258, 274)))
def test_this_codec_reads_what_the_other_one_writes(drawn):
    code, is_request, avps = drawn
    flags = (FLAG_REQUEST if is_request else 0) | FLAG_PROXIABLE
    other = other_codec.Message.from_bytes(message(code, avps, flags=flags), plain_msg=True)

    assert decode_message(other.as_bytes()).avps == avps
