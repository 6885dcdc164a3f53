"""Laws of pricing that hold for every tariff, usage and way of splitting it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from apps.rating.domain import Allowance, Rater, Usage, compile_tariff
from apps.rating.domain.explain import explain, prose
from apps.rating.domain.source import RateSlot, TariffSource, Timing
from apps.rating.domain.usage import RatedUsage
from tests.rating.tariffs import ANY, later, naive_cost_micros, tariff_source

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe")
# Days around which clocks change in those zones, and ordinary ones; weekends, and a turn of the year.
DAYS = [
    datetime(2026, 1, 5, tzinfo=UTC),
    datetime(2025, 12, 31, tzinfo=UTC),
    datetime(2026, 3, 8, tzinfo=UTC),
    datetime(2026, 3, 28, tzinfo=UTC),
    datetime(2026, 4, 4, tzinfo=UTC),
    datetime(2026, 10, 24, tzinfo=UTC),
    datetime(2026, 11, 1, tzinfo=UTC),
]

prices = st.sampled_from(["0", "0.6", "0.7", "0.0001", "1.23456789", "0.3333333", "100"])
increments = st.sampled_from([1, 6, 30, 45, 60, 7200])
units = st.sampled_from([1, 60, 7, 3600])


@st.composite
def slot_rows(draw: Any) -> list[RateSlot]:
    starts = [0, *sorted(draw(st.sets(st.sampled_from([30, 45, 60, 61, 300, 4000]), max_size=3)))]
    fee = draw(st.sampled_from(["0", "0.1", "0.0333333333"]))
    return [RateSlot(start, fee, draw(prices), draw(units), draw(increments)) for start in starts]


@st.composite
def timings(draw: Any, number: int) -> Timing:
    # Hours at which a clock change leaves nothing to interpret; the changes have tests of their own.
    start = draw(st.sampled_from([0, 6 * 3600, 12 * 3600, 19 * 3600, 43_230]))
    return Timing(
        f"T{number}",
        months=draw(st.sampled_from([(), (), (1, 3, 10)])),
        month_days=draw(st.sampled_from([(), (), (5, 29)])),
        weekdays=draw(st.sampled_from([(), (1, 2, 3, 4, 5), (6, 7)])),
        start_s=start,
        end_s=draw(st.sampled_from([86_400, 86_400, start + 1800])),
    )


@st.composite
def sources(draw: Any, strategies: tuple[str, ...] = ("", "*free", "*disconnect")) -> TariffSource:
    timed = [
        (draw(timings(number)), draw(st.sampled_from(["5", "10", "20"])), draw(slot_rows()))
        for number in range(draw(st.integers(0, 3)))
    ]
    strategy = draw(st.sampled_from(strategies))
    return tariff_source(
        draw(slot_rows()),
        rounding=(
            draw(st.sampled_from(["*up", "*down", "*middle"])),
            draw(st.sampled_from([0, 2, 4, 6])),
        ),
        max_cost=(draw(st.sampled_from(["0.05", "1", "7.77"])) if strategy else "0", strategy),
        zone=draw(st.sampled_from(ZONES)),
        timed=timed,
    )


@st.composite
def sessions(draw: Any, longest: int = 10_000) -> Usage:
    start = draw(st.sampled_from(DAYS)) + timedelta(seconds=draw(st.integers(0, 2 * 86_400)))
    tor = draw(st.sampled_from(["voice", "voice", "voice", "data", "mms", "fax_page"]))
    return Usage("default", "call", "alice", tor, "4930123", start, draw(st.integers(1, longest)))


def rate_in_pieces(rater: Rater, session: Usage, cuts: list[int], paid_from: int = 0) -> list[RatedUsage]:
    ends = sorted({cut % session.amount for cut in cuts} | {session.amount})
    begins = [0, *ends[:-1]]
    return [
        rater.rate(later(session, begin, end - begin), begin, paid_from)
        for begin, end in zip(begins, ends, strict=True)
        if end > begin
    ]


@given(sources(), sessions(), st.lists(st.integers(0, 10_000), max_size=6))
def test_splitting_a_session_anywhere_keeps_its_price(
    source: TariffSource, session: Usage, cuts: list[int]
) -> None:
    rater = Rater(compile_tariff(source))
    whole = rater.rate(session)
    pieces = rate_in_pieces(rater, session, cuts)
    assert sum(piece.cost_micros for piece in pieces) == whole.cost_micros
    assert sum(piece.billed_usage for piece in pieces) == whole.billed_usage
    assert all(piece.connect_fee_micros == 0 for piece in pieces[1:])


@given(sources(), sessions(), st.lists(st.integers(0, 10_000), max_size=4), st.integers(0, 9_000))
def test_splitting_keeps_the_price_of_a_session_that_an_allowance_began(
    source: TariffSource, session: Usage, cuts: list[int], paid_from: int
) -> None:
    rater = Rater(compile_tariff(source))
    whole = rater.rate(session, 0, paid_from)
    pieces = rate_in_pieces(rater, session, cuts, paid_from)
    assert sum(piece.cost_micros for piece in pieces) == whole.cost_micros
    assert sum(piece.free_usage for piece in pieces) == whole.free_usage == min(paid_from, session.amount)


@given(sources(), sessions(), st.integers(0, 5_000))
def test_the_price_is_that_of_the_rules_followed_increment_by_increment(
    source: TariffSource, session: Usage, paid_from: int
) -> None:
    # Where clocks are put back, the wall clock passes a timing's start twice; that has tests of its own.
    assume(not _clock_put_back(source, session))
    rated = Rater(compile_tariff(source)).rate(session, 0, paid_from)
    expected = naive_cost_micros(source, session, session.amount, paid_from)
    assert (rated.cost_micros, rated.billed_usage) == expected


def _clock_put_back(source: TariffSource, session: Usage) -> bool:
    from zoneinfo import ZoneInfo

    zone = ZoneInfo(source.tenants[0][1])
    around = [session.start + timedelta(hours=hours) for hours in range(-30, 36, 2)]
    offsets = [instant.astimezone(zone).utcoffset() for instant in around]
    return any(a > b for a, b in pairwise(offsets))


@given(sources(), sessions(), st.lists(st.integers(0, 10_000), max_size=2), st.integers(0, 200))
def test_an_explanation_has_the_same_price_and_its_lines_add_up_to_it(
    source: TariffSource, session: Usage, cuts: list[int], free: int
) -> None:
    rater = Rater(compile_tariff(source))
    allowances = [Allowance("gift", free)] if free else []
    rated, taken = rater.rate_with_allowances(session, allowances)
    told = explain(rater, session, allowances=allowances)
    assert (told.rated, told.taken) == (rated, taken)
    assert sum(line.cost_micros for line in told.lines) + rated.connect_fee_micros == rated.cost_micros
    assert sum(line.usage for line in told.lines) == session.amount - rated.free_usage
    assert sum(line.units for line in told.lines) == rated.billed_usage
    assert all(line.cost_micros >= 0 for line in told.lines)
    assert prose(told)


@given(sources(), sessions(), st.integers(1, 9_999))
def test_the_lines_of_a_later_piece_add_up_to_its_price(
    source: TariffSource, session: Usage, position: int
) -> None:
    rater = Rater(compile_tariff(source))
    piece = later(session, position, session.amount)
    rated = rater.rate(piece, position)
    told = explain(rater, piece, position)
    assert told.rated == rated
    assert sum(line.cost_micros for line in told.lines) == rated.cost_micros
    assert sum(line.units for line in told.lines) == rated.billed_usage


@given(sources(), sessions())
def test_the_fast_path_and_the_general_one_agree(source: TariffSource, session: Usage) -> None:
    rater = Rater(compile_tariff(source))
    assert rater.rate(session) == rater.rate_fully(session) == rater.rate(session)


@given(
    st.sampled_from(["0.6", "0.0001", "1.23456789"]),
    increments,
    st.sampled_from([("*up", 2), ("*down", 4), ("*middle", 0), ("*middle", 3)]),
    st.sampled_from(["", "*free"]),
    sessions(),
    st.integers(1, 5_000),
)
def test_more_usage_never_costs_less_within_one_slot(
    price: str, increment: int, rounding: tuple[str, int], strategy: str, session: Usage, more: int
) -> None:
    slots = [RateSlot(0, "0.05", price, 60, increment)]
    rater = Rater(compile_tariff(tariff_source(slots, rounding=rounding, max_cost=("1.5", strategy))))
    longer = rater.rate(session._replace(amount=session.amount + more))
    assert longer.cost_micros >= rater.rate(session).cost_micros


@given(sources(strategies=("", "*free")), sessions(), st.integers(0, 3_000_000), st.integers(0, 500))
def test_what_a_budget_buys_is_within_it_and_one_unit_more_is_not(
    source: TariffSource, session: Usage, budget: int, position: int
) -> None:
    rater = Rater(compile_tariff(source))
    piece = later(session, position, session.amount)
    bought, _ = rater.rate_within(piece, budget, position)
    assert 0 <= bought <= piece.amount
    assert rater.rate(piece._replace(amount=bought), position).cost_micros <= budget
    if bought < piece.amount:
        assert rater.rate(piece._replace(amount=bought + 1), position).cost_micros > budget


@given(sources(strategies=("*disconnect",)), sessions())
def test_a_session_ends_before_a_disconnecting_maximum_cost_is_exceeded(
    source: TariffSource, session: Usage
) -> None:
    rater = Rater(compile_tariff(source))
    terms = source.tariff_plans[0].destination_rates[0]
    unlimited = compile_tariff(
        source._replace(
            tariff_plans=(
                source.tariff_plans[0]._replace(
                    destination_rates=tuple(
                        row._replace(rounding_decimals=0) for row in source.tariff_plans[0].destination_rates
                    )
                ),
            )
        )
    )
    bought, _ = rater.rate_within(session, 1 << 60)
    exact = Rater(unlimited).rate(session._replace(amount=bought)).cost_micros if bought else 0
    assert exact <= float(terms.max_cost) * 1_000_000
    # The price itself is not limited: an enquiry and a forced debit count everything.
    assert rater.rate(session) == rater.rate_fully(session)


@given(
    sources(),
    sessions(),
    st.lists(st.integers(-1, 4_000), min_size=1, max_size=3),
    st.lists(st.integers(0, 10_000), max_size=4),
)
def test_allowances_give_the_same_units_however_a_session_is_split(
    source: TariffSource, session: Usage, gifts: list[int], cuts: list[int]
) -> None:
    rater = Rater(compile_tariff(source))
    allowances = [Allowance(str(number), units) for number, units in enumerate(gifts)]
    whole, taken = rater.rate_with_allowances(session, allowances)
    ends = sorted({cut % session.amount for cut in cuts} | {session.amount})
    left = dict(enumerate(gifts))
    cost = free = position = paid_from = 0
    for end in ends:
        now = [Allowance(str(number), units) for number, units in left.items()]
        rated, used = rater.rate_with_allowances(
            later(session, position, end - position), now, position, paid_from
        )
        for key, units in used:
            left[int(key)] -= units if left[int(key)] >= 0 else 0
        cost, free, position, paid_from = (
            cost + rated.cost_micros,
            free + rated.free_usage,
            end,
            rated.paid_from,
        )
    assert free == whole.free_usage == sum(units for _, units in taken)
    assert cost == whole.cost_micros


def test_an_unknown_subject_is_rated_as_any() -> None:
    rater = Rater(compile_tariff(tariff_source([RateSlot(0, "0", "0.6", 60, 60)])))
    session = Usage("default", "call", "nobody", "voice", "1", DAYS[0], 60)
    assert rater.rate(session).subject == ANY
