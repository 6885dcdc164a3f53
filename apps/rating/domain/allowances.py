"""Free units and the numbers they serve (CGRateS: DestinationIds of a balance, ``!`` excludes)."""

from __future__ import annotations

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


def serves(tariff: Tariff, tenant: str, allowance: Allowance, prefix: str) -> bool:
    """Whether the allowance is for a number whose longest known prefix is ``prefix``."""
    included, excluded = allowance.included, allowance.excluded
    if not included and not excluded:
        return True
    for _, keys in tariff.prefixes_of(prefix):
        ids = [key.id for key in keys if tariff.visible(key, tenant)]
        if any(destination in excluded for destination in ids):
            return False
        if any(destination in included for destination in ids):
            return True
    if ANY in excluded:
        return False
    return not included or ANY in included
