"""The 20 octets in front of every message (RFC 6733 section 3)."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import NamedTuple

from apps.diameter.protocol.codes import (
    FLAG_ERROR,
    FLAG_REQUEST,
    FLAG_RETRANSMITTED,
    HEADER_BYTES,
    VERSION,
)

_HEADER = Struct(">IIIII")


class Header(NamedTuple):
    """The fields of a header; ``length`` counts the header too."""

    version: int
    length: int
    flags: int
    command: int
    application: int
    hop_by_hop: int
    end_to_end: int

    @property
    def is_request(self) -> bool:
        return self.flags & FLAG_REQUEST != 0

    @property
    def is_error(self) -> bool:
        return self.flags & FLAG_ERROR != 0

    @property
    def is_retransmitted(self) -> bool:
        return self.flags & FLAG_RETRANSMITTED != 0


# Bypasses the class's Python-level constructor; the fields are in their order.
_new_header: Callable[[type[Header], tuple[int, ...]], Header] = tuple.__new__


def read_header(data: bytes) -> Header:
    """The header of a message of at least 20 octets; nothing is checked."""
    version_length, flags_command, application, hop_by_hop, end_to_end = _HEADER.unpack_from(data)
    fields = (
        version_length >> 24,
        version_length & 0xFFFFFF,
        flags_command >> 24,
        flags_command & 0xFFFFFF,
        application,
        hop_by_hop,
        end_to_end,
    )
    return _new_header(Header, fields)


def write_message(
    flags: int, command: int, application: int, hop_by_hop: int, end_to_end: int, avps: bytes
) -> bytes:
    """A whole message: a header of the right length, then the AVPs as they are given."""
    return (
        _HEADER.pack(
            VERSION << 24 | HEADER_BYTES + len(avps),
            flags << 24 | command,
            application,
            hop_by_hop,
            end_to_end,
        )
        + avps
    )
