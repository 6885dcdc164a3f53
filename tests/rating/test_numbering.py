"""The destinations that are made from the world's numbering plans."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.rating.domain.numbering import merge_prefixes, world_destinations
from apps.rating.domain.standard_tariff import standard_tariff, zone_of


@pytest.fixture(scope="module")
def destination_of():
    owner = {number_range.prefix: number_range.destination for number_range in world_destinations()}

    def find(number: str) -> str | None:
        return next((owner[number[:n]] for n in range(len(number), 0, -1) if number[:n] in owner), None)

    return find


@pytest.mark.parametrize(
    ("number", "destination"),
    [
        ("493012345678", "DE_FIXED"),
        ("4915112345678", "DE_MOBILE"),
        ("14165550100", "CA_FIXED"),
        ("12125550100", "US_FIXED"),
        ("18765550100", "JM_FIXED"),
        ("77172123456", "KZ_FIXED"),
        ("74951234567", "RU_FIXED"),
        ("441534123456", "JE_FIXED"),
        ("442071234567", "GB_FIXED"),
        ("447400123456", "GB_MOBILE"),
        ("33612345678", "FR_MOBILE"),
        ("881612345678", "SATELLITE"),
    ],
)
def test_a_real_number_has_the_destination_of_its_country_and_network(destination_of, number, destination):
    assert destination_of(number) == destination


def test_no_prefix_belongs_to_two_destinations():
    owners = defaultdict(set)
    for number_range in world_destinations():
        owners[number_range.prefix].add(number_range.destination)
    assert [prefix for prefix, found in owners.items() if len(found) > 1] == []


@given(
    st.sets(st.text("0123", min_size=1, max_size=4), max_size=40),
    st.text("0123456789", min_size=6, max_size=6),
)
def test_merged_prefixes_cover_the_same_numbers(prefixes, number):
    def covered(some: set[str]) -> bool:
        return any(number.startswith(prefix) for prefix in some)

    assert covered(merge_prefixes(prefixes)) == covered(prefixes)


def test_ten_siblings_become_their_parent_and_a_parent_is_enough():
    assert merge_prefixes({f"49{digit}" for digit in range(10)} | {"4951"}) == {"49"}


def test_every_destination_of_the_shipped_tariff_has_a_price_for_calls_and_messages():
    ranges = world_destinations()
    files = standard_tariff(ranges, tenant="default", home="DE", activation="2020-01-01T00:00:00Z")
    priced = defaultdict(set)
    for line in files["DestinationRates"].splitlines()[1:]:
        tag, destination, *_ = line.split(",")
        priced[destination].add("sms" if tag == "DR_SMS" else "call")
    assert all(priced[number_range.destination] == {"call", "sms"} for number_range in ranges)


def test_the_shipped_tariff_has_no_rate_that_nothing_refers_to():
    files = standard_tariff(
        world_destinations(), tenant="default", home="DE", activation="2020-01-01T00:00:00Z"
    )
    rates = {line.split(",")[0] for line in files["Rates"].splitlines()[1:]}
    assert rates == {line.split(",")[2] for line in files["DestinationRates"].splitlines()[1:]}


def test_the_home_country_has_a_zone_of_its_own_even_in_the_european_union():
    assert (zone_of("DE", "DE").name, zone_of("FR", "DE").name, zone_of("DE", "CH").name) == (
        "HOME",
        "EU",
        "EU",
    )
