"""Usage and rates that are finer than a second: exact to the nanosecond, and at one with whole seconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.kernel.units import NANO, VOICE_NS
from apps.rating.domain import Rater, Usage, compile_tariff
from apps.rating.domain.differences.terms import aspects, terms, worked_price
from apps.rating.domain.errors import RatingError
from apps.rating.domain.explain import explain, prose
from apps.rating.domain.history_files import _read_rates, _write_rates
from apps.rating.domain.rates import CompiledRate
from apps.rating.domain.snapshot import decode, encode
from apps.rating.domain.source import DestinationRate, Rate, RateSlot, TariffSource
from apps.rating.domain.tariff_files.writing import write_tariff_files
from tests.rating.tariffs import later, naive_cost_micros, tariff_source, usage
from tests.rating.test_odd_tariff_values import check
from tests.rating.test_rater_laws import DAYS, ZONES, timings

MS = 10**6
increments_ns = st.sampled_from(
    [1, 7, 5 * MS, 7 * MS, 100 * MS, 300 * MS, NANO, 1500 * MS, 6 * NANO, 60 * NANO]
)
starts_ns = st.sampled_from([NANO, 3 * NANO, 2500 * MS, 30 * NANO, 45 * NANO])


def in_nanoseconds(source: TariffSource, rates: set[str]) -> TariffSource:
    """The source with the figures of these rates meaning nanoseconds."""
    plan = source.tariff_plans[0]
    changed = tuple(rate._replace(nanoseconds=rate.id in rates) for rate in plan.rates)
    return source._replace(tariff_plans=(plan._replace(rates=changed),))


@st.composite
def slots(draw: Any, scale: int) -> list[RateSlot]:
    starts = [0, *sorted(draw(st.sets(starts_ns, max_size=2)))]
    fee = draw(st.sampled_from(["0", "0.1"]))
    price = st.sampled_from(["0", "0.6", "1.23456789", "100"])
    unit = st.sampled_from([60 * NANO, NANO, 500 * MS, 7])
    rows = [RateSlot(start, fee, draw(price), draw(unit), draw(increments_ns)) for start in starts]
    if scale == 1:
        return rows
    return list(
        {
            row.group_start // scale: row._replace(
                group_start=row.group_start // scale,
                unit=-(-row.unit // scale),
                increment=-(-row.increment // scale),
            )
            for row in rows
        }.values()
    )


@st.composite
def sources(draw: Any, strategies: tuple[str, ...] = ("", "*free", "*disconnect")) -> TariffSource:
    """Tariffs of rates in nanoseconds and in seconds, by the clock."""
    number = draw(st.integers(1, 3))
    fine = [draw(st.booleans()) for _ in range(number)]
    rows = [draw(slots(1 if finely else NANO)) for finely in fine]
    strategy = draw(st.sampled_from(strategies))
    source = tariff_source(
        rows[0],
        rounding=(draw(st.sampled_from(["*up", "*down", "*middle"])), draw(st.sampled_from([0, 2, 4]))),
        max_cost=(draw(st.sampled_from(["0.05", "1", "7.77"])) if strategy else "0", strategy),
        zone=draw(st.sampled_from(ZONES)),
        timed=[(draw(timings(n)), draw(st.sampled_from(["5", "10"])), rows[n]) for n in range(1, number)],
    )
    return in_nanoseconds(source, {f"RT_{n}" for n in range(number) if fine[n]})


# At and just before the edges of timings, where the clock matters.
starts = st.builds(
    lambda day, hour, seconds, micros: day + timedelta(hours=hour, seconds=seconds, microseconds=micros),
    st.sampled_from(DAYS),
    st.sampled_from([0, 5, 6, 12, 19]),
    st.integers(-90, 90),
    st.sampled_from([0, 0, 1, 500_000, 999_999]),
)


def session(start: datetime, amount: int, tor: str = VOICE_NS) -> Usage:
    return Usage("default", "call", "alice", tor, "4930123", start, amount)


def piece(whole: Usage, begin: int, end: int) -> Usage:
    return whole._replace(start=whole.start + timedelta(microseconds=begin // 1000), amount=end - begin)


@given(sources(), starts, st.integers(1, 200), st.integers(0, 50))
def test_nanoseconds_of_whole_seconds_cost_what_the_seconds_cost(
    source: TariffSource, start: datetime, amount: int, paid_from: int
) -> None:
    rater = Rater(compile_tariff(source))
    seconds = rater.rate(session(start, amount, "voice"), 0, paid_from)
    fine = rater.rate(session(start, amount * NANO), 0, paid_from * NANO)
    assert fine.cost_micros == seconds.cost_micros
    assert fine.connect_fee_micros == seconds.connect_fee_micros
    assert fine.billed_usage // NANO == seconds.billed_usage
    assert fine.free_usage == seconds.free_usage * NANO
    assert fine.matched == seconds.matched


@given(sources(), starts, st.integers(1, 200 * NANO), st.lists(st.integers(0, 200 * NANO), max_size=5))
def test_splitting_a_session_at_any_nanosecond_keeps_its_price(
    source: TariffSource, start: datetime, amount: int, cuts: list[int]
) -> None:
    rater = Rater(compile_tariff(source))
    whole = rater.rate(session(start, amount))
    ends = sorted({cut for cut in cuts if 0 < cut < amount} | {amount})
    pieces = [
        rater.rate(piece(session(start, amount), begin, end), begin)
        for begin, end in zip([0, *ends[:-1]], ends, strict=True)
    ]
    assert sum(part.cost_micros for part in pieces) == whole.cost_micros
    assert sum(part.billed_usage for part in pieces) == whole.billed_usage
    assert all(part.connect_fee_micros == 0 for part in pieces[1:])


@given(sources(), starts, st.integers(2, 200), st.lists(st.integers(1, 199), max_size=4))
def test_splitting_a_session_of_whole_seconds_keeps_its_price_at_rates_of_less(
    source: TariffSource, start: datetime, amount: int, cuts: list[int]
) -> None:
    rater = Rater(compile_tariff(source))
    whole = session(start, amount, "voice")
    ends = sorted({cut for cut in cuts if cut < amount} | {amount})
    pieces = [
        rater.rate(later(whole, begin, end - begin), begin)
        for begin, end in zip([0, *ends[:-1]], ends, strict=True)
    ]
    priced = rater.rate(whole)
    assert sum(part.cost_micros for part in pieces) == priced.cost_micros
    assert sum(part.billed_usage for part in pieces) == priced.billed_usage
    assert rater.rate_fully(whole) == priced == rater.rate(whole)


@given(
    sources(strategies=("", "*free")),
    starts,
    st.sampled_from(["voice", VOICE_NS]),
    st.integers(1, 200),
    st.integers(0, 3_000_000),
    st.integers(0, 50),
)
def test_what_a_budget_buys_is_within_it_and_one_unit_more_is_not(
    source: TariffSource, start: datetime, tor: str, amount: int, budget: int, position: int
) -> None:
    rater = Rater(compile_tariff(source))
    scale = NANO if tor == VOICE_NS else 1
    usage = session(start + timedelta(seconds=position), amount * scale, tor)
    position *= scale
    bought, rated = rater.rate_within(usage, budget, position)
    assert 0 <= bought <= usage.amount
    if bought:
        assert rated == rater.rate(usage._replace(amount=bought), position)
    assert rated.cost_micros <= budget
    if bought < usage.amount:
        assert rater.rate(usage._replace(amount=bought + 1), position).cost_micros > budget


@given(sources(strategies=("*disconnect",)), starts, st.integers(1, 200), st.integers(0, 3_000_000))
def test_whole_seconds_end_where_their_nanoseconds_do(
    source: TariffSource, start: datetime, amount: int, budget: int
) -> None:
    rater = Rater(compile_tariff(source))
    seconds, _ = rater.rate_within(session(start, amount, "voice"), budget)
    fine, _ = rater.rate_within(session(start, amount * NANO), budget)
    assert seconds == fine // NANO


@given(sources(), starts, st.sampled_from(["voice", VOICE_NS]), st.integers(1, 90), st.integers(0, 50))
def test_an_explanation_has_the_same_price_and_its_lines_add_up_to_it(
    source: TariffSource, start: datetime, tor: str, amount: int, position: int
) -> None:
    rater = Rater(compile_tariff(source))
    scale = NANO if tor == VOICE_NS else 1
    usage = session(start + timedelta(seconds=position), amount * scale, tor)
    rated = rater.rate(usage, position * scale)
    told = explain(rater, usage, position * scale)
    assert told.rated == rated
    assert sum(line.cost_micros for line in told.lines) + rated.connect_fee_micros == rated.cost_micros
    assert prose(told)


@given(
    st.integers(1, 3000),
    st.sampled_from([5, 7, 100, 1500]),
    st.sampled_from([10, 250, 60_000]),
    st.sampled_from(["0.6", "1.23456789"]),
)
def test_the_price_is_that_of_each_increment(amount: int, increment: int, unit: int, price: str) -> None:
    plain = tariff_source([RateSlot(0, "0.1", price, unit, increment)])
    fine = in_nanoseconds(tariff_source([RateSlot(0, "0.1", price, unit * MS, increment * MS)]), {"RT_0"})
    rated = Rater(compile_tariff(fine)).rate(session(DAYS[0], amount * MS))
    # The oracle counts units without asking what they are; these are milliseconds.
    cost, billed = naive_cost_micros(plain, session(DAYS[0], amount, "data"), amount)
    assert (rated.cost_micros, rated.billed_usage) == (cost, billed * MS)


def rater_of(rows: str) -> Rater:
    checked = check(Rates=f"{rows}\nRT_MOB,0,1,60,60,0\n")
    assert checked.problems == []
    return Rater(compile_tariff(TariffSource((("default", "UTC"),), (checked.plan,))))


def test_an_increment_of_5_ms_bills_each_that_has_begun() -> None:
    rater = rater_of("RT_FIX,0,0.6,60s,5ms,0")
    assert rater.rate(usage(1)).cost_micros == 10_000
    fine = usage(12_345_000_001, tor=VOICE_NS)
    assert rater.rate(fine).billed_usage == 12_350 * MS
    assert rater.rate(fine).cost_micros == 123_500


def test_seconds_are_billed_in_increments_of_one_and_a_half() -> None:
    rater = rater_of("RT_FIX,0,0.6,60s,1500ms,0")
    costs = [rater.rate(usage(seconds)).cost_micros for seconds in (1, 2, 3, 4)]
    assert costs == [15_000, 30_000, 30_000, 45_000]
    told = prose(explain(rater, usage(4)))
    assert "4s used are 3 × 1500ms = 4500ms billed, at 0.6 for 60s" in told


def test_whole_seconds_stay_on_the_quick_way_where_increments_divide_them() -> None:
    terms_of = DestinationRate("DR", "*any", "RT")
    quick = CompiledRate(Rate("RT", (RateSlot(0, "0", "0.6", 60 * NANO, 5 * MS),), True), terms_of)
    slow = CompiledRate(Rate("RT", (RateSlot(0, "0", "0.6", 60 * NANO, 7 * MS),), True), terms_of)
    assert quick.one_slot is not None
    assert slow.one_slot is None
    assert "0.6 for 60s by 5ms" in terms(quick)
    assert aspects(quick, slow) == ["increments"]
    seconds = CompiledRate(Rate("RT", (RateSlot(0, "0", "0.6", 60, 1),)), terms_of)
    assert aspects(seconds, quick) == ["increments"]
    assert worked_price(slow, 1) == 10_010


@pytest.mark.parametrize(
    ("written", "exported"),
    [("60,5ms,0", "60s,5ms,0s"), ("1m,1500ms,2.5s", "60s,1500ms,2500ms"), ("100us,7ns,1s", "100us,7ns,1s")],
)
def test_a_rate_below_a_second_is_exported_exactly(written: str, exported: str) -> None:
    plan = check(Rates=f"RT_FIX,0.1,0.6,{written}\nRT_MOB,0,1,60s,60,0\n").plan
    files, _ = write_tariff_files(plan)
    assert f"RT_FIX,0.1,0.6,{exported}\n" in files["Rates"].replace("\r\n", "\n")
    assert "RT_MOB,0,1,60,60,0\n" in files["Rates"].replace("\r\n", "\n")
    assert check(Rates=files["Rates"]).plan.rates == plan.rates
    assert tuple(_read_rates(_write_rates(plan.rates))) == plan.rates
    source = TariffSource((("default", "UTC"),), (plan,))
    assert decode(encode(source).data) == source


@pytest.mark.parametrize("text", ["1.5", "0.5ns"])
def test_a_fraction_without_a_unit_or_of_a_nanosecond_is_refused(text: str) -> None:
    (problem,) = check(Rates=f"RT_FIX,0,0.6,60,{text},0\nRT_MOB,0,1,60,60,0\n").problems
    assert "column RateIncrement" in str(problem)


def test_a_call_of_more_than_a_year_of_nanoseconds_is_refused() -> None:
    rater = rater_of("RT_FIX,0,0.6,60s,5ms,0")
    with pytest.raises(RatingError, match="longer than a year"):
        rater.rate(session(datetime(2026, 1, 5, tzinfo=UTC), 400 * 86_400 * NANO))


def test_a_rate_whose_figures_do_not_fit_in_nanoseconds_is_refused() -> None:
    (problem,) = check(Rates=f"RT_FIX,0,0.6,60,5ms,{1 << 60}\nRT_MOB,0,1,60,60,0\n").problems
    assert "more than 2^62 nanoseconds" in str(problem)
