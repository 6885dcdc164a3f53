"""Destinations of the world's numbering plans, fixed and mobile told apart, from the data of ``phonenumbers``.

Mobile prefixes come from its carrier table (which network a number range was given to); where several countries
share a calling code, the ranges of each come from its number patterns. The rest of a calling code is
its main country's fixed network, so that every number of the world has a destination.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from typing import NamedTuple

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata
from phonenumbers.carrierdata import CARRIER_DATA

WORLD = "001"
GLOBAL_NETWORKS = {
    800: "INTERNATIONAL_FREEPHONE",
    808: "INTERNATIONAL_SHARED_COST",
    870: "SATELLITE",
    878: "INTERNATIONAL_PERSONAL",
    881: "SATELLITE",
    882: "INTERNATIONAL_NETWORKS",
    883: "INTERNATIONAL_NETWORKS",
    888: "INTERNATIONAL_NETWORKS",
    979: "INTERNATIONAL_PREMIUM",
}
# Digits after the calling code that tell the countries of a shared one apart.
DIGITS_OF_A_COUNTRY = {1: 3, 44: 4}
_COMPLETIONS = ("0000000000", "2345678901", "5555555555", "1234567890", "7000000000")


class NumberRange(NamedTuple):
    """A prefix in international form and the destination it belongs to."""

    destination: str
    prefix: str


def world_destinations() -> list[NumberRange]:
    """Every destination of the world with its prefixes: ``DE_FIXED``, ``DE_MOBILE``, …, ``SATELLITE``."""
    prefixes: dict[str, set[str]] = defaultdict(set)
    for code, regions in COUNTRY_CODE_TO_REGION_CODE.items():
        if regions == (WORLD,):
            prefixes[GLOBAL_NETWORKS.get(code, "INTERNATIONAL_NETWORKS")].add(str(code))
            continue
        prefixes[f"{regions[0]}_FIXED"].add(str(code))
        for region, national in _ranges_of_other_countries(code, regions):
            prefixes[f"{region}_FIXED"].add(f"{code}{national}")
    for prefix in CARRIER_DATA:
        code = _calling_code(prefix)
        regions = COUNTRY_CODE_TO_REGION_CODE[code]
        if regions == (WORLD,):
            continue
        region = _region_of(code, prefix.removeprefix(str(code)), regions, mobile=True)
        prefixes[f"{region}_MOBILE"].add(prefix)
    merged = {destination: merge_prefixes(found) for destination, found in prefixes.items()}
    mobile = {
        prefix for destination in merged if destination.endswith("_MOBILE") for prefix in merged[destination]
    }
    return [
        NumberRange(destination, prefix)
        for destination in sorted(merged)
        for prefix in sorted(merged[destination])
        if destination.endswith("_MOBILE") or prefix not in mobile
    ]


def merge_prefixes(prefixes: Iterable[str]) -> set[str]:
    """The fewest prefixes that cover the same numbers: ten siblings become their parent, and a parent is enough."""
    merged = set(prefixes)
    for length in range(max(map(len, merged), default=0), 1, -1):
        siblings: dict[str, int] = defaultdict(int)
        for prefix in merged:
            if len(prefix) == length:
                siblings[prefix[:-1]] += 1
        for parent, count in siblings.items():
            if count == 10:
                merged.add(parent)
    return {
        prefix for prefix in merged if not any(prefix[:length] in merged for length in range(1, len(prefix)))
    }


def _ranges_of_other_countries(code: int, regions: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """National prefixes of the countries that share a calling code with its main country."""
    if len(regions) == 1:
        return
    digits = DIGITS_OF_A_COUNTRY.get(code, 3)
    for number in range(10**digits):
        national = f"{number:0{digits}d}"
        region = _region_of(code, national, regions, mobile=False)
        if region != regions[0]:
            yield region, national


def _region_of(code: int, national: str, regions: tuple[str, ...], *, mobile: bool) -> str:
    if len(regions) == 1:
        return regions[0]
    main, *others = regions
    for region in others:
        leading = _leading_digits(region)
        if leading is not None:
            if leading.match(national):
                return region
            continue
        pattern, lengths = _pattern(region, mobile)
        if pattern is None:
            continue
        for length in lengths:
            missing = length - len(national)
            if missing >= 0 and any(
                pattern.fullmatch(national + digits[:missing]) for digits in _COMPLETIONS
            ):
                return region
    return main


@cache
def _leading_digits(region: str) -> re.Pattern[str] | None:
    metadata = PhoneMetadata.metadata_for_region(region)
    return re.compile(metadata.leading_digits) if metadata and metadata.leading_digits else None


@cache
def _pattern(region: str, mobile: bool) -> tuple[re.Pattern[str] | None, tuple[int, ...]]:
    metadata = PhoneMetadata.metadata_for_region(region)
    if metadata is None:
        return None, ()
    kind = metadata.mobile if mobile else metadata.fixed_line
    if not kind or not kind.national_number_pattern:
        return None, ()
    general = metadata.general_desc
    lengths = kind.possible_length or (general.possible_length if general else ())
    return re.compile(kind.national_number_pattern), tuple(lengths)


def _calling_code(prefix: str) -> int:
    for length in (1, 2, 3):
        if int(prefix[:length]) in COUNTRY_CODE_TO_REGION_CODE:
            return int(prefix[:length])
    raise ValueError(f"{prefix} has no calling code")
