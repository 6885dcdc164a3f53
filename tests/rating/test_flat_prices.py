"""The price of usage that stays at one rate is what the walk over its increments says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from apps.rating.domain import Rater, Usage
from tests.rating.tariffs import rater, slot, usage

RATES = st.sampled_from(["0.06", "0.0123", "0.00007", "0", "1"])
ROUNDINGS = st.sampled_from([("*middle", 0), ("*up", 4), ("*down", 2), ("*middle", 3), ("*up", 0)])
POSITIONS = st.integers(0, 500)


@st.composite
def raters(draw: st.DrawFn) -> Rater:
    fee = draw(st.sampled_from(["0", "0.05", "0.0001"]))
    starts = draw(st.sampled_from([(0,), (0,), (0, 60), (0, 45, 300)]))
    return rater(
        [
            slot(
                draw(RATES),
                unit=60,
                increment=draw(st.sampled_from([1, 6, 60, 7])),
                connect_fee=fee,
                start=start,
            )
            for start in starts
        ],
        rounding=draw(ROUNDINGS),
        max_cost=draw(st.sampled_from([("0", ""), ("0", ""), ("0.10", "*disconnect")])),
    )


@st.composite
def pieces(draw: st.DrawFn) -> Usage:
    return usage(draw(st.integers(1, 700)), tor=draw(st.sampled_from(["voice", "data"])))


@given(raters(), pieces(), POSITIONS, POSITIONS)
def test_a_piece_costs_what_the_walk_says(made: Rater, piece: Usage, position: int, paid_from: int) -> None:
    made.rate(piece)
    assert made.rate(piece, position, paid_from) == made.rate_fully(piece, position, paid_from)


@given(raters(), pieces(), POSITIONS, POSITIONS, st.integers(-5, 900_000))
def test_the_part_within_a_budget_is_the_largest(
    made: Rater, piece: Usage, position: int, paid_from: int, budget_micros: int
) -> None:
    walked = rater_like(made).rate_within(piece, budget_micros, position, paid_from)
    made.rate(piece)
    assert made.rate_within(piece, budget_micros, position, paid_from) == walked


@given(raters(), st.integers(0, 90_000))
def test_a_call_that_began_before_1970_or_the_tariff_is_priced_as_the_walk_says(
    made: Rater, position: int
) -> None:
    early = usage(60)._replace(start=datetime.fromtimestamp(0, UTC) + timedelta(seconds=40_000))
    made.rate(usage(60))
    if position <= 40_000:
        assert made.rate(early, position) == made.rate_fully(early, position)


def rater_like(made: Rater) -> Rater:
    """The same tariff with nothing remembered yet, which walks."""
    return Rater(made.tariff)


@given(raters(), pieces())
def test_a_price_that_is_known_at_any_time_is_told_without_the_walk(made: Rater, piece: Usage) -> None:
    known = made.known_price(piece._replace(amount=1))
    assert known.first <= piece.start <= known.last
    assert known.cost(piece.start, piece.amount) == made.rate_fully(piece).cost_micros
