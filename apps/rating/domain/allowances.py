"""Free units: which of them serve a number, and how many each gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from apps.rating.domain.source import ANY
from apps.rating.domain.tariff import Tariff

UNLIMITED = -1


class Allowance(NamedTuple):
    """Units of usage free of charge: ``remaining`` seconds, octets or events (−1 = unlimited).

    ``included`` destination ids limit it to their numbers (empty or ``*any``: all numbers), ``excluded`` ones
    are not served. Where both name a number, the longer prefix decides.
    """

    key: str
    remaining: int
    included: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()


class Taken(NamedTuple):
    """Units taken from the allowance ``key``."""

    key: str
    units: int


def serves(tariff: Tariff, tenant: str, allowance: Allowance, stem: str) -> bool:
    """Whether the allowance is for a number whose longest known prefix is ``stem``."""
    included, excluded = allowance.included, allowance.excluded
    if not included and not excluded:
        return True
    for _, keys in tariff.prefixes_of(stem):
        ids = [key.id for key in keys if tariff.visible(key, tenant)]
        if any(destination in excluded for destination in ids):
            return False
        if any(destination in included for destination in ids):
            return True
    if ANY in excluded:
        return False
    return not included or ANY in included


def take(wanted: int, allowances: Sequence[Allowance]) -> tuple[Taken, ...]:
    """Take ``wanted`` units from the allowances in their order, as far as they reach."""
    taken = []
    for allowance in allowances:
        if wanted <= 0:
            break
        units = wanted if allowance.remaining == UNLIMITED else min(wanted, max(allowance.remaining, 0))
        if units:
            taken.append(Taken(allowance.key, units))
            wanted -= units
    return tuple(taken)
