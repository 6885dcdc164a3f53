"""Values that need a word of explanation: instants, addresses, amounts."""

from __future__ import annotations

import ipaddress

_NTP_TO_UNIX_S = 2_208_988_800
_ERA_S = 1 << 32
_TOP_BIT = 1 << 31
_ADDRESS_FAMILY_IPV4 = 1
_ADDRESS_FAMILY_IPV6 = 2
MICROS_DECIMALS = 6


def unix_seconds_of_time(seconds: int) -> int:
    """Seconds since 1970 of a Time value. In 2036 its 32 bits overflow (RFC 5905: top bit clear)."""
    return seconds - _NTP_TO_UNIX_S + (0 if seconds & _TOP_BIT else _ERA_S)


def time_of_unix_seconds(seconds: int) -> int:
    """The Time value of an instant between 1968 and 2104."""
    return (seconds + _NTP_TO_UNIX_S) % _ERA_S


def address_of_text(text: str) -> bytes:
    """The Address value of an IPv4 or IPv6 address. Raises ValueError for anything else."""
    address = ipaddress.ip_address(text)
    family = _ADDRESS_FAMILY_IPV4 if address.version == 4 else _ADDRESS_FAMILY_IPV6
    return family.to_bytes(2, "big") + address.packed


def micros_of_unit_value(digits: int, exponent: int) -> int | None:
    """Micro-units of ``digits × 10^exponent``; None for an amount that is finer than one or absurdly large."""
    shift = exponent + MICROS_DECIMALS
    if shift >= 0:
        return digits * 10**shift if shift <= 30 else None
    if shift < -30:
        return None if digits else 0
    micros, rest = divmod(digits, 10**-shift)
    return None if rest else micros


def unit_value_of_micros(micros: int) -> dict[str, object]:
    """The Unit-Value of an amount, with the shortest digits."""
    digits, exponent = micros, -MICROS_DECIMALS
    while exponent < 0 and digits % 10 == 0:
        digits //= 10
        exponent += 1
    return {"Value-Digits": digits, "Exponent": exponent}
