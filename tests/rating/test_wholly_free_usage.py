"""Usage that one allowance covers costs nothing, and is refused where the walk refuses it."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from apps.rating.domain import Allowance, Rater, RatingError, TariffSource, Usage, compile_tariff
from tests.rating.test_rater_laws import sessions, sources


@given(
    source=sources(),
    usage=sessions(),
    spare=st.sampled_from([-1, 0, 7]),
    included=st.sampled_from([(), ("*any",), ("ELSEWHERE",)]),
    number=st.sampled_from(["4930123", "999"]),
)
def test_wholly_free_usage_costs_what_the_walk_says(
    source: TariffSource, usage: Usage, spare: int, included: tuple[str, ...], number: str
):
    usage = usage._replace(destination=number)
    tariff = compile_tariff(source)
    short, long = Rater(tariff), Rater(tariff)
    remaining = -1 if spare < 0 else usage.amount + spare
    allowances = [Allowance("free", remaining, included)]
    paid_from = 0 if included == ("ELSEWHERE",) else usage.amount
    expected = answer(lambda: long.rate_fully(usage, 0, paid_from))
    # The first time the number is new to the Rater, the second time remembered.
    for _ in range(2):
        found = answer(lambda: short.rate_with_allowances(usage, allowances))
        if isinstance(expected, str):
            assert found == expected
        else:
            assert found == (expected, (("free", usage.amount),) if paid_from else ())


def answer(price: Callable[[], object]) -> object:
    """What it gives, or the code of its refusal."""
    try:
        return price()
    except RatingError as error:
        return error.code


@given(source=sources(), first=sessions(), second=sessions())
def test_what_is_known_of_a_price_says_what_the_rater_says(
    source: TariffSource, first: Usage, second: Usage
) -> None:
    made = Rater(compile_tariff(source))
    known = made.known_price(first)
    start, amount = second.start, second.amount
    if known.first <= start <= known.last and 0 < amount <= known.longest:
        cost = known.cost(start, amount)
        if cost is not None:
            assert cost == made.rate_fully(first._replace(start=start, amount=amount)).cost_micros
