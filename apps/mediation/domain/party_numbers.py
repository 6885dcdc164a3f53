"""Numbers of real numbering plans for made-up traffic, from the examples that ``phonenumbers`` carries."""

from __future__ import annotations

from random import Random

import phonenumbers
from phonenumbers import PhoneNumberType

from apps.mediation.domain.traffic import PartyNumbers

NEAR = ("AT", "CH", "FR", "NL", "PL", "IT", "ES", "GB", "DK", "BE", "CZ", "SE", "TR", "PT", "GR", "IE")
FAR = ("US", "CA", "BR", "IN", "CN", "JP", "AU", "NG", "ZA", "MX", "TH", "VN", "MA", "EG", "AE")
_HOME_NUMBERS, _OTHER_NUMBERS = 1_200, 60


def party_numbers(home: str, seed: int) -> PartyNumbers:
    """Numbers in and outside the country ``home`` (ISO 3166 code), mobile and fixed, in international digits."""
    random = Random(seed)

    def numbers(regions: tuple[str, ...], count: int) -> tuple[str, ...]:
        return tuple(
            number for region in regions if region != home for number in _numbers(region, count, random)
        )

    return PartyNumbers(
        home=tuple(_numbers(home, _HOME_NUMBERS, random)),
        near=numbers(NEAR, _OTHER_NUMBERS),
        far=numbers(FAR, _OTHER_NUMBERS // 3),
    )


def _numbers(region: str, count: int, random: Random) -> list[str]:
    found: list[str] = []
    kinds = (PhoneNumberType.MOBILE, PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE)
    for attempt in range(count * 2):
        if len(found) == count:
            break
        example = phonenumbers.example_number_for_type(region, kinds[attempt % len(kinds)])
        if example is None:
            continue
        digits = str(example.national_number)
        # The first digits identify the network; the rest is random.
        varied = digits[:-5] + f"{random.randrange(100_000):05d}"
        number = phonenumbers.PhoneNumber(country_code=example.country_code, national_number=int(varied))
        if phonenumbers.is_valid_number(number):
            found.append(f"{example.country_code}{varied}")
    return found
