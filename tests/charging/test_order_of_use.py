"""Which balance pays, in which order: each rule of the reference as a case."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest

from apps.charging.domain.balances import Group, Strategy, free_increment
from apps.charging.domain.lines import BundlePeriod, Grant
from apps.charging.domain.requests import Operation, Result
from apps.charging.domain.state import Account
from apps.kernel.errors import InvalidInput
from apps.kernel.units import NANO
from apps.rating.domain.source import RateSlot, Timing
from tests.charging.online import (
    BERLIN,
    BRITAIN,
    GERMANY,
    LONG_AGO,
    MIB,
    NOON,
    Charger,
    call,
    item,
    make_line,
    make_rater,
    money,
    units,
)

A_MINUTE = 60_000


def taken(charger: Charger) -> dict[int, int]:
    """What each balance lost, by id; without those that lost nothing."""
    totals: dict[int, int] = {}
    for entry in charger.entries:
        totals[entry.balance_id] = totals.get(entry.balance_id, 0) - entry.amount
    return {balance_id: amount for balance_id, amount in totals.items() if amount}


RULES = {
    "money pays what no units pay": ([money(10**6)], GERMANY, {1: A_MINUTE}),
    "units go before money": ([money(10**6), units(2, "voice", 100)], GERMANY, {2: 60}),
    "money pays what units leave over": (
        [money(10**6), units(2, "voice", 40)],
        GERMANY,
        {2: 40, 1: 20_000},
    ),
    "units of another kind do not pay": ([money(10**6), units(2, "data", 100)], GERMANY, {1: A_MINUTE}),
    "the heavier balance goes first": (
        [units(2, "voice", 100, weight=10), units(3, "voice", 100, weight=20)],
        GERMANY,
        {3: 60},
    ),
    "of equal balances the older one goes first": (
        [units(2, "voice", 100), units(3, "voice", 100)],
        GERMANY,
        {2: 60},
    ),
    "precision goes before weight": (
        [
            units(2, "voice", 100, weight=99, included=frozenset({"DE"})),
            units(3, "voice", 100, weight=1, included=frozenset({"DE_BERLIN"})),
        ],
        BERLIN,
        {3: 60},
    ),
    "a destination that is not included is not paid": (
        [money(10**6), units(2, "voice", 100, included=frozenset({"GB"}))],
        GERMANY,
        {1: A_MINUTE},
    ),
    "an excluded destination is not paid": (
        [money(10**6), units(2, "voice", 100, excluded=frozenset({"GB"}))],
        BRITAIN,
        {1: A_MINUTE},
    ),
    "a longer excluded prefix beats a shorter included one": (
        [
            money(10**6),
            units(2, "voice", 100, included=frozenset({"DE"}), excluded=frozenset({"DE_BERLIN"})),
        ],
        BERLIN,
        {1: A_MINUTE},
    ),
    "another category is not paid": (
        [money(10**6), units(2, "voice", 100, categories=frozenset({"data"}))],
        GERMANY,
        {1: A_MINUTE},
    ),
    "a disabled balance pays nothing": (
        [money(10**6), units(2, "voice", 100, disabled=True)],
        GERMANY,
        {1: A_MINUTE},
    ),
    "an expired balance pays nothing": (
        [money(10**6), units(2, "voice", 100, expires_at=NOON)],
        GERMANY,
        {1: A_MINUTE},
    ),
    "a balance that expires during the call pays until then": (
        [money(10**6), units(2, "voice", 100, expires_at=NOON + timedelta(seconds=25))],
        GERMANY,
        {2: 25, 1: 35_000},
    ),
    "a balance that becomes active during the call pays from then on": (
        [money(10**6), units(2, "voice", 100, active_from=NOON + timedelta(seconds=25))],
        GERMANY,
        {1: 25_000, 2: 35},
    ),
    "a balance pays within its timings only": (
        [money(10**6), units(2, "voice", 100, timings=(Timing("T", start_s=12 * 3600 + 50),))],
        GERMANY,
        {1: 50_000, 2: 10},
    ),
    "whole minutes are taken": (
        [money(10**6), units(2, "voice", 150, rating_subject="*zero1m")],
        GERMANY,
        {2: 60},
    ),
    "less than an increment is of no use": (
        [money(10**6), units(2, "voice", 59, rating_subject="*zero1m")],
        GERMANY,
        {1: A_MINUTE},
    ),
    "a generic balance is used by its factor": (
        [units(2, "generic", 5, factors=(("voice", 30), ("sms", 1)))],
        GERMANY,
        {2: 2},
    ),
    "four units a message, or a fourth of what a unit buys": (
        [units(2, "generic", 250, factors=(("voice", Fraction(1, 4)),))],
        GERMANY,
        {2: 240},
    ),
    "half a second is not rounded": (
        [units(2, "generic", 50, factors=(("voice", Fraction(3, 2)),))],
        GERMANY,
        {2: 40},
    ),
    "a factor goes with whole increments": (
        [units(2, "generic", 5, factors=(("voice", 40),), rating_subject="*zero1m")],
        GERMANY,
        {2: 1},
    ),
    "units at a price are used by their factor": (
        [money(10**6), units(2, "generic", 5, factors=(("voice", 15),), rating_subject="cheap")],
        GERMANY,
        {2: 4, 1: 6_000},
    ),
    "units at a price pay as much as their factor makes of them": (
        [money(10**6), units(2, "generic", 5, factors=(("voice", Fraction(1, 2)),), rating_subject="cheap")],
        GERMANY,
        {2: 4, 1: 200 + 58_000},
    ),
    "a generic balance without a factor for it does not pay": (
        [money(10**6), units(2, "generic", 5, factors=(("sms", 1),))],
        GERMANY,
        {1: A_MINUTE},
    ),
    "units priced by a subject take units and money": (
        [money(10**6), units(2, "voice", 100, rating_subject="cheap")],
        GERMANY,
        {2: 60, 1: 6_000},
    ),
    "money with a purpose goes before the default": (
        [money(10**6), units(2, "monetary", 20_000, included=frozenset({"DE"}))],
        GERMANY,
        {2: 20_000, 1: 40_000},
    ),
}


@pytest.mark.parametrize("rule", RULES)
def test_a_call_of_a_minute_is_paid_by_the_rule(rule: str) -> None:
    balances, destination, expected = RULES[rule]
    charger = Charger(*balances, rater=make_rater(subjects={"cheap": [RateSlot(0, "0", "0.006", 60, 1)]}))
    call(charger, 60, destination=destination)
    assert taken(charger) == expected


def test_a_unit_is_booked_once_it_is_used_up_and_what_is_left_of_it_is_exact() -> None:
    """CGRateS: 100 generic units at a factor of 60 pay for 70 seconds, and 98 5/6 are left."""
    factors = (("voice", 60), ("sms", 2), ("mms", Fraction(1, 4)))
    charger = Charger(units(2, "generic", 100, factors=factors))
    call(charger, 30, 40)
    assert (charger.value(2), charger.balances[2].used_part) == (99, Fraction(1, 6))
    assert charger.send(Operation.EVENT, item("sms", 1), session="one").result is Result.SUCCESS
    assert (charger.value(2), charger.balances[2].used_part) == (99, Fraction(2, 3))
    assert charger.send(Operation.EVENT, item("mms", 1), session="two").result is Result.SUCCESS
    assert (charger.value(2), charger.balances[2].used_part) == (95, Fraction(2, 3))
    assert charger.booked(2) == -5
    assert [entry.cause.partition("=")[2] for entry in charger.entries] == ["1/2", "2/3", "1/2", "4"]


def test_the_last_half_of_a_unit_is_granted_once() -> None:
    charger = Charger(units(2, "generic", 1, factors=(("sms", 2),)))
    charger.send(Operation.EVENT, item("sms", 1), session="one")
    grants = [
        charger.send(Operation.INITIATE, item("sms", 5), session=session).items[0].granted
        for session in ("two", "three")
    ]
    assert grants == [1, 0]
    charger.send(Operation.TERMINATE, item("sms", None, 1), session="two", number=1)
    assert (charger.value(2), charger.reserved(2), charger.balances[2].used_part) == (0, 0, 0)


def test_the_connect_fee_is_taken_once_at_the_rate_of_the_first_balance() -> None:
    rater = make_rater(connect_fee="0.10", subjects={"cheap": [RateSlot(0, "0.02", "0.006", 60, 1)]})
    charger = Charger(money(10**6), units(2, "voice", 30, rating_subject="cheap"), rater=rater)
    call(charger, 20, 20, 20)
    assert taken(charger) == {2: 30, 1: 20_000 + 3_000 + 30_000}


def test_free_units_first_means_no_connect_fee() -> None:
    charger = Charger(money(10**6), units(2, "voice", 30), rater=make_rater(connect_fee="0.10"))
    call(charger, 60)
    assert taken(charger) == {2: 30, 1: 30_000}


def test_a_session_without_usage_costs_nothing_the_connect_fee_included() -> None:
    charger = Charger(money(10**6), rater=make_rater(connect_fee="0.10"))
    charger.send(Operation.INITIATE, item(asked=60))
    assert charger.reserved() == 160_000
    charger.send(Operation.TERMINATE, item(used=0), number=1)
    assert (charger.value(), charger.reserved(), charger.entries) == (10**6, 0, [])


@pytest.mark.parametrize("left", [100, 0])
def test_a_blocker_stops_the_chain_whether_or_not_it_has_anything_left(left: int) -> None:
    charger = Charger(money(10**6), units(2, "voice", left, weight=5, blocker=True), units(3, "voice", 500))
    answer = charger.send(Operation.INITIATE, item(asked=300))
    assert answer.items[0].granted == left
    assert answer.items[0].final is not None
    assert charger.reserved(1) == charger.reserved(3) == 0


def test_a_blocker_of_money_keeps_the_default_balance_out() -> None:
    charger = Charger(money(10**6), units(2, "monetary", 20_000, weight=5, blocker=True))
    assert charger.send(Operation.INITIATE, item(asked=60)).items[0].granted == 20


@pytest.mark.parametrize("pieces", [(78,), (1, 77), (76, 2), (77, 1)])
def test_usage_that_a_blocker_stops_pays_back_no_debt(pieces: tuple[int, ...]) -> None:
    empty = units(2, "monetary", 0, blocker=True, timings=(Timing("T", start_s=12 * 3600 + 77),))
    charger = Charger(money(0), empty, allow_negative=True)
    assert call(charger, *pieces) == 77_000
    assert taken(charger) == {1: 77_000}
    assert charger.sessions["s", 0].meters[0].unpaid_micros == 1_000


def test_a_balance_below_zero_takes_nothing_from_what_others_hold() -> None:
    charger = Charger(money(-50_000, overdraft=50_000), units(2, "monetary", 30_000))
    assert charger.send(Operation.INITIATE, item(asked=60)).items[0].granted == 30


def test_units_at_a_price_that_were_passed_over_are_tried_again_once_there_are_more() -> None:
    minutes = [RateSlot(0, "0", "0", 60, 60)]
    rater = make_rater(subjects={"minutes": minutes})
    charger = Charger(money(10**6), units(2, "voice", 90, rating_subject="minutes"), rater=rater)
    charger.send(Operation.INITIATE, item(asked=60))
    charger.send(Operation.UPDATE, item(asked=60, used=100), number=1, at=NOON + timedelta(seconds=100))
    assert taken(charger) == {1: 40_000, 2: 60}
    assert charger.sessions["s", 0].meters[0].passed[0][:3] == (2, 30, 10**6)
    charger.balances[2] = charger.balances[2]._replace(value=90)
    charger.send(Operation.TERMINATE, item(used=60), number=2, at=NOON + timedelta(seconds=160))
    assert taken(charger) == {1: 40_000, 2: 120}


def test_units_at_a_price_that_were_passed_over_are_tried_again_when_they_cost_less() -> None:
    free_from_one = [(Timing("LATER", start_s=13 * 3600), [RateSlot(0, "0", "0", 60, 1)])]
    rater = make_rater(
        subjects={"timed": [RateSlot(0, "0", "0.06", 60, 1)]}, timed_subjects={"timed": free_from_one}
    )
    charger = Charger(money(500), units(2, "voice", 100, rating_subject="timed"), rater=rater)
    charger.send(Operation.INITIATE)
    charger.send(Operation.UPDATE, item(asked=50, used=3_599), number=1, at=NOON + timedelta(seconds=3_599))
    assert charger.sessions["s", 0].meters[0].passed
    answer = charger.send(Operation.UPDATE, item(asked=50, used=1), number=2, at=NOON + timedelta(hours=1))
    assert answer.items[0].granted == 50


@pytest.mark.parametrize("pieces", [(240,), (90, 150), (110, 130), (200, 40)])
def test_a_call_is_the_same_however_it_is_split_where_units_at_a_price_become_cheaper_in_it(
    pieces: tuple[int, ...],
) -> None:
    cheaper = [(Timing("LATER", start_s=12 * 3600 + 110), [RateSlot(0, "0", "0.0006", 60, 10)])]
    rater = make_rater(
        rate="0", subjects={"timed": [RateSlot(0, "0", "6", 60, 1)]}, timed_subjects={"timed": cheaper}
    )
    charger = Charger(money(50_000), units(2, "voice", 300, rating_subject="timed"), rater=rater)
    assert call(charger, *pieces) == 1_300
    assert taken(charger) == {1: 1_300, 2: 130}


def test_free_units_of_plan_and_bundle_are_used_before_money_and_counted() -> None:
    grants = {"voice": (Grant("plan:1", 40, frozenset(), frozenset()),)}
    bundle = BundlePeriod(
        LONG_AGO,
        NOON + timedelta(days=9),
        {"voice": (Grant("bundle:2", 10, frozenset({"DE"}), frozenset()),)},
    )
    charger = Charger(money(10**6), line=make_line(grants=grants, bundles=(bundle,)))
    call(charger, 30, 30)
    used = {key.origin: (counter.used, counter.reserved) for key, counter in charger.counters.items()}
    assert used == {"bundle:2": (10, 0), "plan:1": (40, 0)}
    assert charger.value() == 10**6 - 10_000


def test_unlimited_free_units_go_first_and_cost_nothing() -> None:
    charger = Charger(
        money(10**6),
        units(2, "voice", 50, weight=50, included=frozenset({"DE"})),
        line=make_line(grants={"voice": (Grant("plan:1", -1, frozenset(), frozenset()),)}),
    )
    call(charger, 500)
    assert (charger.value(1), charger.value(2)) == (10**6, 50)
    assert [counter.used for counter in charger.counters.values()] == [500]


def test_free_units_of_two_sessions_at_once_are_not_granted_twice() -> None:
    charger = Charger(line=make_line(grants={"data": (Grant("plan:1", 10 * MIB, frozenset(), frozenset()),)}))
    first = charger.send(Operation.INITIATE, item("data", 8 * MIB), session="a")
    second = charger.send(Operation.INITIATE, item("data", 8 * MIB), session="b")
    assert [first.items[0].granted, second.items[0].granted] == [8 * MIB, 2 * MIB]


def test_free_units_are_those_of_the_month_in_which_the_usage_began() -> None:
    grants = {"voice": (Grant("plan:1", 60, frozenset(), frozenset()),)}
    charger = Charger(money(10**6), line=make_line(grants=grants, zone="Europe/Berlin"))
    charger.now = datetime(2026, 5, 31, 21, 59, 50, tzinfo=UTC)
    call(charger, 60, session="may")
    charger.now = datetime(2026, 5, 31, 22, 0, 0, tzinfo=UTC)
    call(charger, 60, session="june")
    assert sorted((key.month, counter.used) for key, counter in charger.counters.items()) == [
        (5, 60),
        (6, 60),
    ]
    assert charger.value() == 10**6


OTHERS = (
    units(2, "voice", 30, groups=(1,)),
    units(3, "voice", 10, groups=(1,), account_id=2),
    units(4, "voice", 50, groups=(1,), account_id=3),
)


@pytest.mark.parametrize(
    ("strategy", "order"),
    [
        (Strategy.LOWEST, [3, 2, 4]),
        (Strategy.HIGHEST, [4, 2, 3]),
        (Strategy.MINE_LOWEST, [2, 3, 4]),
        (Strategy.MINE_HIGHEST, [2, 4, 3]),
    ],
)
def test_a_shared_group_is_used_in_the_order_of_its_strategy(strategy: str, order: list[int]) -> None:
    charger = Charger(*OTHERS, groups=[Group(1, {0: (strategy, "")})])
    call(charger, 90)
    assert list(taken(charger)) == order
    assert sum(taken(charger).values()) == 90


def test_a_random_order_is_the_same_for_the_whole_session_and_not_for_all_sessions() -> None:
    firsts = set()
    for number in range(20):
        split = Charger(*OTHERS, groups=[Group(1, {0: (Strategy.RANDOM, "")})])
        call(split, 5, 5, 5, 20, session=f"s{number}")
        whole = Charger(*OTHERS, groups=[Group(1, {0: (Strategy.RANDOM, "")})])
        call(whole, 35, session=f"s{number}")
        assert taken(split) == taken(whole)
        firsts.add(next(iter(taken(whole))))
    assert len(firsts) > 1


def test_mine_random_takes_my_own_first_and_is_the_default() -> None:
    for number in range(8):
        charger = Charger(*OTHERS, groups=[Group(1, {})])
        call(charger, 31, session=f"s{number}")
        assert next(iter(taken(charger))) == 2


def test_a_shortfall_goes_to_the_default_balance_only_if_it_may_become_negative() -> None:
    charger = Charger(money(10_000), units(2, "monetary", 5_000), allow_negative=True)
    answer = charger.send(Operation.INITIATE, item(asked=6_000))
    assert answer.items[0].granted == 6_000
    charger.send(Operation.TERMINATE, item(used=6_000), number=1, at=NOON + timedelta(seconds=6_000))
    assert charger.value() == 10_000 + 5_000 - 6_000_000
    assert charger.value(2) == 0
    assert Charger(money(10_000)).send(Operation.INITIATE, item(asked=6_000)).items[0].granted == 10


def test_a_default_balance_is_made_if_it_may_become_negative() -> None:
    charger = Charger(allow_negative=True)
    call(charger, 60)
    (balance,) = charger.balances.values()
    assert (balance.tag, balance.value, balance.reserved) == ("*default", -60_000, 0)


@pytest.mark.parametrize(
    ("subject", "increment"),
    [("", 1), ("*zero", 1), ("*zero1s", 1), ("*zero1m", 60), ("*zero1h30m", 5_400), ("*zero5ms", 0.005)],
)
def test_a_rating_subject_of_zero_says_its_increment(subject: str, increment: float) -> None:
    assert free_increment(subject) == increment * NANO


def test_another_rating_subject_prices_units() -> None:
    assert free_increment("cheap") is None


def test_a_rating_subject_of_zero_without_units_is_refused() -> None:
    with pytest.raises(InvalidInput):
        free_increment("*zerominutes")


@pytest.mark.parametrize("subject", ["*zero7ms", "*zero1500ms", "*zero0s"])
def test_an_increment_that_does_not_meet_seconds_is_refused(subject: str) -> None:
    with pytest.raises(InvalidInput):
        free_increment(subject)


def test_an_account_that_is_closed_pays_for_nothing() -> None:
    charger = Charger(money(10**6))
    assert isinstance(charger.account, Account)
    charger.account = charger.account._replace(barred=True)
    assert charger.send(Operation.EVENT, item("sms", 1)).result is Result.BARRED
