"""What an AVP is: its code, type and flags. The tables in ``dictionary/`` are made of these."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class AvpType(IntEnum):
    """The format of an AVP's data (RFC 6733 sections 4.2 and 4.3), and the Python value it becomes."""

    OCTETS = 0
    """OctetString → bytes."""
    UTF8 = 1
    """UTF8String → str."""
    UNSIGNED32 = 2
    UNSIGNED64 = 3
    INTEGER32 = 4
    INTEGER64 = 5
    ENUMERATED = 6
    """Integer32 → int, one of ``AvpDefinition.values`` where those are given."""
    GROUPED = 7
    """AVPs → dict by name."""
    IDENTITY = 8
    """DiameterIdentity → str (ASCII)."""
    TIME = 9
    """Seconds since 1900, era of RFC 5905 → int, seconds since 1970."""
    ADDRESS = 10
    """Family and address → bytes as they are; ``values.address_of_text`` makes them."""
    RAW = 11
    """The whole AVP with header and padding → bytes: what must be echoed to the octet."""


class AvpDefinition(NamedTuple):
    """One AVP of the dictionary."""

    name: str
    code: int
    vendor: int
    type: AvpType
    mandatory: bool
    """Whether this product sets the M bit when it sends the AVP."""
    values: frozenset[int] | None = None
    """The values of an Enumerated that are understood; None = any."""

    @property
    def key(self) -> int:
        """Vendor and code in one integer, which the codec looks up."""
        return self.vendor << 32 | self.code


Row = tuple[str, int, AvpType] | tuple[str, int, AvpType, frozenset[int]]


def table(rows: tuple[Row, ...], *, vendor: int = 0, mandatory: bool = True) -> tuple[AvpDefinition, ...]:
    """Definitions of one vendor from rows (name, code, type[, understood values])."""
    return tuple(
        AvpDefinition(row[0], row[1], vendor, row[2], mandatory, row[3] if len(row) == 4 else None)
        for row in rows
    )


def listed(texts: dict[AvpType, str], *, vendor: int = 0) -> tuple[AvpDefinition, ...]:
    """Definitions from lists by type, such as ``NAS-Port 5, Framed-MTU 12``: for AVPs that are known and not read."""
    return tuple(
        AvpDefinition(name, int(code), vendor, avp_type, mandatory=True)
        for avp_type, text in texts.items()
        for name, code in (entry.split() for entry in text.split(","))
    )


def values_of(enumeration: type[IntEnum]) -> frozenset[int]:
    return frozenset(int(member) for member in enumeration)
