"""Longest-prefix matching, against a matcher too simple to be wrong, and at the size of a real tariff."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from apps.rating.domain import Allowance, Rater, compile_tariff
from apps.rating.domain.source import Destination
from tests.rating.tariffs import slot, tariff_source, usage

digits = st.text("0123456789", min_size=1, max_size=5)


@given(st.sets(digits, max_size=30), st.text("0123456789", max_size=8))
def test_the_longest_prefix_is_found(prefixes: set[str], number: str) -> None:
    source = tariff_source([slot("1")], destinations=[Destination("D", tuple(sorted(prefixes)))])
    expected = max((p for p in prefixes if number.startswith(p)), key=len, default="")
    assert compile_tariff(source).longest_prefix(number) == expected


def test_170_000_prefixes_compile_and_every_number_finds_its_own() -> None:
    draw = random.Random(7)
    prefixes = {str(draw.randrange(10, 10 ** draw.randint(2, 9))) for _ in range(175_000)}
    chosen = sorted(prefixes)[:170_000]
    draw.shuffle(chosen)
    owners = {prefix: f"D{n % 1_700}" for n, prefix in enumerate(chosen)}
    by_owner: dict[str, list[str]] = {}
    for prefix, owner in owners.items():
        by_owner.setdefault(owner, []).append(prefix)
    source = tariff_source(
        [slot("1")],
        destinations=[Destination(owner, tuple(own)) for owner, own in by_owner.items()],
    )
    plan = source.tariff_plans[0]
    terms = plan.destination_rates[0]
    plan = plan._replace(destination_rates=tuple(terms._replace(destination_id=owner) for owner in by_owner))
    rater = Rater(compile_tariff(source._replace(tariff_plans=(plan,))))
    for prefix in draw.sample(chosen, 2_000):
        number = prefix + str(draw.randrange(1_000))
        expected = next(number[:n] for n in range(len(number), 0, -1) if number[:n] in owners)
        rated = rater.rate(usage(destination=number))
        assert (rated.prefix, rated.destination) == (expected, owners[expected])


DESTINATIONS = [
    Destination("GERMANY", ("49",)),
    Destination("DE_MOBILE", ("4915",)),
    Destination("FRANCE", ("33",)),
]


def taken(allowance: Allowance, number: str) -> int:
    rater = Rater(compile_tariff(tariff_source([slot("1")], destinations=DESTINATIONS)))
    _, units = rater.rate_with_allowances(usage(60, destination=number), [allowance])
    return sum(count for _, count in units)


def test_an_allowance_serves_the_destinations_that_it_includes_by_any_of_their_prefixes() -> None:
    assert taken(Allowance("k", -1, ("GERMANY",)), "49151") == 60
    assert taken(Allowance("k", -1, ("GERMANY",)), "331") == 0
    assert taken(Allowance("k", -1, ("DE_MOBILE",)), "4930") == 0
    assert taken(Allowance("k", -1, ("*any",)), "1") == 60
    assert taken(Allowance("k", -1), "1") == 60


def test_of_included_and_excluded_destinations_the_longer_prefix_decides() -> None:
    assert taken(Allowance("k", -1, ("GERMANY",), ("DE_MOBILE",)), "49151") == 0
    assert taken(Allowance("k", -1, ("GERMANY",), ("DE_MOBILE",)), "4930") == 60
    assert taken(Allowance("k", -1, ("DE_MOBILE",), ("GERMANY",)), "49151") == 60
    assert taken(Allowance("k", -1, (), ("FRANCE",)), "331") == 0
    assert taken(Allowance("k", -1, (), ("FRANCE",)), "4930") == 60


def test_allowances_are_used_in_their_order_and_the_rest_is_paid_without_a_connect_fee() -> None:
    rater = Rater(compile_tariff(tariff_source([slot("0.6", 60, 30, connect_fee="5")])))
    allowances = [Allowance("none", 0), Allowance("a", 20), Allowance("b", 15), Allowance("c", 0)]
    rated, units = rater.rate_with_allowances(usage(100), allowances)
    assert units == (("a", 20), ("b", 15))
    # 65 s are left: three increments of 30 at 0.3.
    assert (rated.cost_micros, rated.billed_usage, rated.connect_fee_micros) == (900_000, 90, 0)
    assert (rated.free_usage, rated.paid_from) == (35, 35)
    rated, units = rater.rate_with_allowances(usage(100), [Allowance("a", -1), Allowance("b", 15)])
    assert (rated.cost_micros, rated.free_usage, units) == (0, 100, (("a", 100),))
