"""AVPs from values: the reverse of ``decoding``."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from functools import partial
from struct import Struct
from typing import Any

from apps.diameter.protocol.codes import AVP_MANDATORY, AVP_VENDOR
from apps.diameter.protocol.definitions import AvpDefinition, AvpType
from apps.diameter.protocol.dictionary import BY_NAME, DEFINITIONS
from apps.diameter.protocol.values import time_of_unix_seconds

Avps = Mapping[str, Any]
"""Values by AVP name: int, str, bytes, a mapping for a group, a list for several instances."""

_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")
_HEAD = Struct(">II")
_HEAD_VENDOR = Struct(">III")
_MAX_DATA_OCTETS = 0xFFFFFF - 12


def avp_header(definition: AvpDefinition, data_octets: int) -> bytes:
    """The header of an AVP with the flags that this product sends, for data of that many octets."""
    flags = AVP_MANDATORY if definition.mandatory else 0
    if definition.vendor:
        return _HEAD_VENDOR.pack(
            definition.code, (flags | AVP_VENDOR) << 24 | data_octets + 12, definition.vendor
        )
    return _HEAD.pack(definition.code, flags << 24 | data_octets + 8)


def encode_avps(values: Avps) -> bytes:
    """The octets of ``values``, in their order. None stands for an AVP that is left out.

    Raises KeyError for a name that is not in the dictionary, ValueError for a value that does not fit its type.
    """
    parts = []
    encoders = ENCODERS
    for name, value in values.items():
        if value is None:
            continue
        try:
            if value.__class__ is list or value.__class__ is tuple:
                encoder = encoders[name]
                parts += [encoder(item) for item in value]
            else:
                parts.append(encoders[name](value))
        except (struct.error, TypeError, AttributeError) as error:
            raise ValueError(f"{name} cannot hold {value!r}: {error}") from error
    return b"".join(parts)


def encode_avp(name: str, value: Any) -> bytes:
    """One AVP, with header and padding."""
    return ENCODERS[name](value)


def _fixed(
    definition: AvpDefinition, form: str, convert: Callable[[Any], int] | None
) -> Callable[[Any], bytes]:
    header = avp_header(definition, Struct(f">{form}").size)
    pack = Struct(f">{len(header)}s{form}").pack
    if convert is None:
        return partial(pack, header)

    def encode(value: Any) -> bytes:
        return pack(header, convert(value))

    return encode


def _variable(definition: AvpDefinition, convert: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    flags = (AVP_MANDATORY if definition.mandatory else 0) << 24
    code, vendor = definition.code, definition.vendor
    if vendor:
        flags |= AVP_VENDOR << 24
        pack_vendor = _HEAD_VENDOR.pack

        def encode_vendor(value: Any) -> bytes:
            data = convert(value)
            length = len(data)
            if length > _MAX_DATA_OCTETS:
                raise ValueError(f"{definition.name} cannot hold {length} octets")
            return pack_vendor(code, flags | length + 12, vendor) + data + _PADDING[length & 3]

        return encode_vendor
    pack = _HEAD.pack

    def encode(value: Any) -> bytes:
        data = convert(value)
        length = len(data)
        if length > _MAX_DATA_OCTETS:
            raise ValueError(f"{definition.name} cannot hold {length} octets")
        return pack(code, flags | length + 8) + data + _PADDING[length & 3]

    return encode


_FIXED_FORMS = {
    AvpType.UNSIGNED32: "I",
    AvpType.UNSIGNED64: "Q",
    AvpType.INTEGER32: "i",
    AvpType.INTEGER64: "q",
    AvpType.ENUMERATED: "i",
    AvpType.TIME: "I",
}
FIXED_OCTETS: dict[int, int] = {int(kind): Struct(f">{form}").size for kind, form in _FIXED_FORMS.items()}
"""Length of the data of types that have one length only."""


def _encoder_of(definition: AvpDefinition) -> Callable[[Any], bytes]:
    kind = definition.type
    if kind in _FIXED_FORMS:
        return _fixed(definition, _FIXED_FORMS[kind], time_of_unix_seconds if kind is AvpType.TIME else None)
    if kind is AvpType.RAW:
        return bytes
    if kind is AvpType.GROUPED:
        return _variable(definition, encode_avps)
    if kind in (AvpType.UTF8, AvpType.IDENTITY):
        return _variable(definition, str.encode)
    return _variable(definition, bytes)


ENCODERS: dict[str, Callable[[Any], bytes]] = {
    definition.name: _encoder_of(definition) for definition in DEFINITIONS
}


def _minimum_data(name: str) -> bytes:
    from apps.diameter.protocol.grammar.plans import group_plan

    definition = BY_NAME[name]
    if definition.type in (AvpType.GROUPED, AvpType.RAW):
        return b"".join(zero_filled_avp(member) for member in group_plan(name).required_names)
    if definition.type is AvpType.ADDRESS:
        return bytes(6)
    return bytes(FIXED_OCTETS.get(int(definition.type), 0))


def zero_filled_avp(name: str) -> bytes:
    """An example of an AVP with zeroes of the least length its type allows, for Failed-AVP."""
    data = _minimum_data(name)
    return avp_header(BY_NAME[name], len(data)) + data + _PADDING[len(data) & 3]
