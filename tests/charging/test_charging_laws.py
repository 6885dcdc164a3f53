"""Laws of charging, over random balances, tariffs and histories of operations."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.charging.domain.balances import Balance, Group, Strategy
from apps.charging.domain.lines import Grant
from apps.charging.domain.requests import BalanceOrder, Operation, RequestItem, Result
from apps.charging.domain.sessions import SessionStatus
from apps.rating.domain import Rater
from apps.rating.domain.source import RateSlot, Timing
from tests.charging.online import (
    ACCOUNT_ID,
    BERLIN,
    BRITAIN,
    GERMANY,
    NOON,
    Charger,
    call,
    item,
    make_line,
    make_rater,
    money,
    units,
)

DESTINATIONS = st.sampled_from([GERMANY, BERLIN, BRITAIN])
AMOUNTS = st.integers(0, 400)
FACTORS = st.sampled_from(
    [(("voice", 1),), (("voice", 7), ("sms", 2)), (("voice", Fraction(1, 4)),), (("voice", Fraction(5, 2)),)]
)


@st.composite
def unit_balances(draw: st.DrawFn, balance_id: int) -> Balance:
    kind = draw(st.sampled_from(["voice", "generic", "monetary"]))
    value = draw(st.integers(0, 300)) * (1_000 if kind == "monetary" else 1)
    active = draw(st.none() | st.integers(-50, 300))
    expires = draw(st.none() | st.integers(-50, 300))
    timings = draw(st.sampled_from([(), (Timing("T", start_s=12 * 3600 + 77, end_s=12 * 3600 + 200),)]))
    return units(
        balance_id,
        kind,
        value,
        weight=draw(st.integers(0, 3)),
        included=draw(st.sampled_from([frozenset(), frozenset({"DE"}), frozenset({"DE_BERLIN"})])),
        blocker=draw(st.sampled_from([False, False, False, True])),
        timings=timings,
        active_from=None if active is None else NOON + timedelta(seconds=active),
        expires_at=None if expires is None else NOON + timedelta(seconds=expires),
        rating_subject=""
        if kind == "monetary"
        else draw(st.sampled_from(["", "*zero10s", "*zero1m", "cheap"])),
        factors=draw(FACTORS) if kind == "generic" else (),
        groups=draw(st.sampled_from([(), (1,)])),
        account_id=ACCOUNT_ID,
    )


@st.composite
def chargers(draw: st.DrawFn) -> Charger:
    rater = draw(raters())
    balances = [money(draw(st.integers(0, 500)) * 1_000)]
    balances += [draw(unit_balances(balance_id)) for balance_id in range(2, draw(st.integers(2, 5)))]
    if draw(st.booleans()):
        balances.append(units(9, "voice", draw(st.integers(0, 200)), account_id=2, groups=(1,)))
    grants = {"voice": (Grant("plan:1", draw(st.integers(0, 100)), frozenset(), frozenset()),)}
    strategy = draw(st.sampled_from([Strategy.MINE_RANDOM, Strategy.RANDOM]))
    return Charger(
        *balances,
        rater=rater,
        line=make_line(grants=draw(st.sampled_from([{}, grants]))),
        allow_negative=draw(st.sampled_from([False, False, True])),
        groups=[Group(1, {0: (strategy, "")})],
    )


@st.composite
def raters(draw: st.DrawFn) -> Rater:
    fee = draw(st.sampled_from(["0", "0.05"]))
    first = RateSlot(
        0, fee, draw(st.sampled_from(["0.06", "0.0123", "0"])), 60, draw(st.sampled_from([1, 30, 60]))
    )
    second = RateSlot(60, "0", "0.03", 60, draw(st.sampled_from([1, 6])))
    cheap = [RateSlot(0, draw(st.sampled_from(["0", "0.02"])), "0.006", 60, draw(st.sampled_from([1, 10])))]
    evening = (Timing("EVENING", start_s=12 * 3600 + 90), [RateSlot(0, "0", "0.12", 60, 15)])
    night = (Timing("NIGHT", start_s=12 * 3600 + 110), [RateSlot(0, "0", "0.003", 60, 7)])
    return make_rater(
        slots=[first, second] if draw(st.booleans()) else [first],
        subjects={"cheap": cheap},
        rounding=draw(st.sampled_from([("*middle", 0), ("*up", 4), ("*down", 3)])),
        timed=[evening] if draw(st.booleans()) else [],
        timed_subjects={"cheap": [night]} if draw(st.booleans()) else {},
    )


def losses(charger: Charger) -> dict[int, int]:
    lost: dict[int, int] = defaultdict(int)
    for entry in charger.entries:
        lost[entry.balance_id] += entry.amount
    return {balance_id: amount for balance_id, amount in lost.items() if amount}


def twin(charger: Charger) -> Charger:
    other = Charger(*charger.balances.values(), rater=charger.rater, line=charger.line)
    other.account, other.config = charger.account, charger.config
    return other


@given(chargers(), st.lists(AMOUNTS, min_size=1, max_size=6), DESTINATIONS)
def test_a_session_costs_the_same_however_it_is_split(
    charger: Charger, pieces: list[int], destination: str
) -> None:
    whole = twin(charger)
    cost_of_the_whole = call(whole, sum(pieces), destination=destination)
    cost = call(charger, *pieces, destination=destination)
    assert cost == cost_of_the_whole
    assert losses(charger) == losses(whole)
    meters = charger.sessions["s", 0].meters, whole.sessions["s", 0].meters
    assert meters[0][0].unpaid_micros == meters[1][0].unpaid_micros
    assert meters[0][0].free_units == meters[1][0].free_units


@st.composite
def desks_of_priced_units(draw: st.DrawFn, service: str) -> Charger:
    """Accounts with little money and few units, most of them at a price, which run out in mid-session."""
    balances = [money(draw(st.integers(0, 300)) * 1_000)]
    for balance_id in range(2, draw(st.integers(3, 5))):
        kind = draw(st.sampled_from([service, "generic"]))
        balances.append(
            units(
                balance_id,
                kind,
                draw(st.integers(0, 120)),
                weight=draw(st.integers(0, 3)),
                rating_subject=draw(st.sampled_from(["cheap", "cheap", "", "*zero10"])),
                blocker=draw(st.sampled_from([False, False, False, True])),
                factors=((service, draw(st.sampled_from([1, 7, Fraction(1, 4), Fraction(5, 2)]))),)
                if kind == "generic"
                else (),
            )
        )
    # The tariff, not the plan, prices data of the plan “timed”: by slots, as it does calls.
    line = make_line(plan="timed" if service == "data" else "basic")
    return Charger(*balances, rater=draw(raters()), line=line, allow_negative=draw(st.booleans()))


@pytest.mark.parametrize("service", ["voice", "data"])
@given(st.data(), st.lists(AMOUNTS, min_size=2, max_size=5))
def test_units_at_a_price_that_run_out_are_shared_out_alike_however_a_session_is_split(
    service: str, data: st.DataObject, pieces: list[int]
) -> None:
    charger = data.draw(desks_of_priced_units(service))
    whole = twin(charger)
    costs = call(charger, *pieces, service=service), call(whole, sum(pieces), service=service)
    assert costs[0] == costs[1]
    assert losses(charger) == losses(whole)
    (meter,), (meter_of_the_whole,) = charger.sessions["s", 0].meters, whole.sessions["s", 0].meters
    assert meter.unpaid_micros == meter_of_the_whole.unpaid_micros
    assert meter.free_units == meter_of_the_whole.free_units


@pytest.mark.parametrize("increment", [1, 10])
@pytest.mark.parametrize("fee", ["0", "0.02"])
@pytest.mark.parametrize("rounding", [("*middle", 0), ("*up", 4), ("*down", 3)])
@pytest.mark.parametrize("pieces", [[10, 1], [1, 10], [30, 30, 30]])
def test_the_smallest_sessions_whose_units_at_a_price_run_out_cost_the_same_when_split(
    increment: int, fee: str, rounding: tuple[str, int], pieces: list[int]
) -> None:
    cheap = [RateSlot(0, fee, "0.006", 60, increment)]
    charger = Charger(
        money(0),
        units(2, "voice", 1, rating_subject="cheap"),
        rater=make_rater(subjects={"cheap": cheap}, rounding=rounding),
    )
    whole = twin(charger)
    assert call(charger, *pieces) == call(whole, sum(pieces))
    assert losses(charger) == losses(whole)


@given(chargers(), st.integers(1, 400), DESTINATIONS)
def test_a_grant_can_be_used_up_without_a_debt(charger: Charger, asked: int, destination: str) -> None:
    answer = charger.send(Operation.INITIATE, item(asked=asked, destination=destination))
    granted = answer.items[0].granted or 0
    if answer.result is not Result.SUCCESS:
        return
    after = NOON + timedelta(seconds=granted)
    answer = charger.send(
        Operation.TERMINATE, item(used=granted, destination=destination), number=1, at=after
    )
    assert answer.items[0].unpaid_micros == 0
    assert_invariants(charger, allowed=charger.account.allow_negative if charger.account else False)


@given(chargers(), st.integers(1, 400), DESTINATIONS)
def test_the_maximum_usage_is_what_a_reservation_grants(
    charger: Charger, asked: int, destination: str
) -> None:
    told = charger.send(Operation.MAX_USAGE, item(asked=asked, destination=destination), session="s")
    granted = charger.send(Operation.INITIATE, item(asked=asked, destination=destination), session="s")
    enough = charger.send(Operation.CHECK_BALANCE, item(asked=1, destination=destination), session="s").enough
    assert told.items[0].granted == granted.items[0].granted
    if granted.items[0].granted == 0:
        assert enough is False


ITEM_SERVICES = st.sampled_from(["voice", "sms", "data"])


@st.composite
def steps(draw: st.DrawFn) -> tuple[str, str, str, int, int, int]:
    return (
        draw(
            st.sampled_from(
                [
                    "initiate",
                    "update",
                    "update",
                    "terminate",
                    "release",
                    "event",
                    "refund",
                    "top_up",
                    "adjust",
                    "wait",
                ]
            )
        ),
        draw(st.sampled_from("abc")),
        draw(ITEM_SERVICES),
        draw(st.integers(0, 200)),
        draw(st.integers(0, 200)),
        draw(st.integers(-300_000, 300_000)),
    )


def assert_invariants(charger: Charger, *, allowed: bool, start: dict[int, int] | None = None) -> None:
    held: dict[int, int] = defaultdict(int)
    for session in charger.sessions.values():
        for meter in session.meters:
            for hold in meter.holds:
                assert session.status == SessionStatus.OPEN
                assert hold.amount > 0
                held[hold.balance_id] += hold.amount
    for balance in charger.balances.values():
        assert balance.reserved == held[balance.balance_id]
        if start is not None:
            assert balance.value == start.get(balance.balance_id, 0) + charger.booked(balance.balance_id)
        if balance.kind != "monetary" or not allowed:
            assert balance.value - balance.reserved >= 0
        assert balance.value - balance.reserved + balance.overdraft >= 0
    for counter in charger.counters.values():
        assert counter.reserved == held[counter.counter_id]
        assert counter.used == sum(e.amount for e in charger.entries if e.balance_id == counter.counter_id)


@given(chargers(), st.lists(steps(), max_size=25))
def test_any_history_keeps_the_books_right(
    charger: Charger, history: list[tuple[str, str, str, int, int, int]]
) -> None:
    assert charger.account is not None
    allowed = charger.account.allow_negative
    start = {balance.balance_id: balance.value for balance in charger.balances.values()}
    now = NOON
    for number, (operation, session, service, asked, used, amount) in enumerate(history):
        if operation == "wait":
            now += timedelta(seconds=asked * 5)
            continue
        things: tuple[RequestItem, ...] = ()
        order = None
        if operation in ("top_up", "adjust"):
            order = BalanceOrder(ACCOUNT_ID, abs(amount) if operation == "top_up" else amount, "cash")
            session = f"order-{number}"
        elif operation in ("event", "refund"):
            things, session = (item(service, asked % 5),), f"event-{number}"
        elif operation != "release":
            things = (
                item(
                    service,
                    asked if operation != "terminate" else None,
                    used if operation != "initiate" else None,
                ),
            )
        charger.send(Operation(operation), *things, number=number, session=session, at=now, order=order)
        assert_invariants(charger, allowed=allowed, start=start)
    causes = [entry.cause for entry in charger.entries]
    assert len(causes) == len(set(causes))
    for session_id, _ in list(charger.sessions):
        charger.send(Operation.RELEASE, number=999, session=session_id, at=now)
    assert all(balance.reserved == 0 for balance in charger.balances.values())


@given(raters(), st.integers(0, 500), st.lists(AMOUNTS, min_size=1, max_size=5), DESTINATIONS, st.booleans())
def test_a_balance_that_pays_for_nothing_changes_nothing(
    rater: Rater, cents: int, pieces: list[int], destination: str, allow_negative: bool
) -> None:
    alone = Charger(money(cents * 1_000), rater=rater, allow_negative=allow_negative)
    beside = Charger(
        money(cents * 1_000),
        units(2, "voice", 900, disabled=True),
        rater=rater,
        allow_negative=allow_negative,
    )
    assert call(alone, *pieces, destination=destination) == call(beside, *pieces, destination=destination)
    assert losses(alone) == losses(beside)
    assert alone.sessions["s", 0].meters == beside.sessions["s", 0].meters
