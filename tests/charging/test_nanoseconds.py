"""Sessions and events of voice in nanoseconds: paid as whole seconds are, and to the nanosecond where terms say so."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.charging.domain.balances import Balance, Group
from apps.charging.domain.policies import QuotaPolicy
from apps.charging.domain.refunds import _amount
from apps.charging.domain.requests import (
    AnswerItem,
    OnlineRequest,
    Operation,
    RequestItem,
    Result,
    Units,
    UsedUnits,
)
from apps.charging.domain.trigger_uses import uses_of
from apps.charging.services.rows import meters_from_text, meters_to_text
from apps.kernel.units import NANO, VOICE_NS
from apps.rating.domain.source import RateSlot
from tests.charging.online import GERMANY, NOON, Charger, item, make_rater, money, units
from tests.charging.test_charging_laws import chargers, losses, twin

MS = 10**6


def ns(asked: int | None = None, used: int | None = None) -> RequestItem:
    """An item of voice in nanoseconds."""
    return RequestItem(
        "voice",
        GERMANY,
        None if asked is None else Units(time_ns=asked),
        () if used is None else (UsedUnits(Units(time_ns=used)),),
    )


def call_ns(charger: Charger, *pieces: int, seconds: bool = False) -> int:
    """A session that reports ``pieces``; what it cost. In nanoseconds, or the same request in seconds."""

    def one(asked: int | None, used: int | None = None) -> RequestItem:
        if seconds:
            return item("voice", asked and asked // NANO, used and used // NANO)
        return ns(asked, used)

    if charger.send(Operation.INITIATE, one(sum(pieces)), at=NOON).result is not Result.SUCCESS:
        charger.send(Operation.INITIATE, at=NOON)
    passed = 0
    for number, piece in enumerate(pieces[:-1], 1):
        passed += piece
        at = NOON + timedelta(microseconds=passed // 1_000)
        charger.send(Operation.UPDATE, one(max(sum(pieces) - passed, NANO), piece), number=number, at=at)
    at = NOON + timedelta(microseconds=sum(pieces) // 1_000)
    charger.send(Operation.TERMINATE, one(None, pieces[-1]), number=len(pieces) + 1, at=at)
    return charger.sessions["s", 0].cost_micros


def exact_losses(charger: Charger) -> dict[int, Fraction]:
    """What was taken of each balance, by what the entries say exactly."""
    lost: dict[int, Fraction] = defaultdict(Fraction)
    for entry in charger.entries:
        lost[entry.balance_id] += _amount(entry)
    return {balance_id: amount for balance_id, amount in lost.items() if amount}


@given(chargers(), st.lists(st.integers(1, 200), min_size=1, max_size=4))
def test_whole_seconds_are_paid_alike_in_nanoseconds(charger: Charger, pieces: list[int]) -> None:
    other = twin(charger)
    fine = [piece * NANO for piece in pieces]
    assert call_ns(charger, *fine) == call_ns(other, *fine, seconds=True)
    assert losses(charger) == losses(other)
    (meter,), (plain,) = charger.sessions["s", 0].meters, other.sessions["s", 0].meters
    assert meter.unpaid_micros == plain.unpaid_micros
    assert (meter.free_units, meter.position) == (plain.free_units * NANO, plain.position * NANO)
    assert (meter.in_ns, plain.in_ns) == (True, False)


SUBJECTS = st.sampled_from(["", "*zero5ms", "*zero1ns", "*zero2s", "cheap", "*zero100ms"])


@st.composite
def fine_balances(draw: st.DrawFn) -> list[Balance]:
    balances = [money(draw(st.integers(0, 400)) * 1_000)]
    for balance_id in range(2, draw(st.integers(2, 5))):
        kind = draw(st.sampled_from(["voice", "generic"]))
        factors = (("voice", draw(st.sampled_from([1, 7, Fraction(1, 4), Fraction(5, 2)]))), ("sms", 2))
        expires = draw(st.none() | st.integers(-5, 150))
        balances.append(
            units(
                balance_id,
                kind,
                draw(st.integers(0, 60)),
                weight=draw(st.integers(0, 3)),
                rating_subject=draw(SUBJECTS),
                factors=factors if kind == "generic" else (),
                blocker=draw(st.sampled_from([False, False, False, True])),
                expires_at=None if expires is None else NOON + timedelta(seconds=expires),
            )
        )
    return balances


@given(
    fine_balances(),
    st.booleans(),
    st.sampled_from([1, 10, 30]),
    st.lists(st.integers(1, 80 * NANO), min_size=2, max_size=5),
)
def test_a_session_costs_the_same_split_at_any_nanosecond_and_overspends_nothing(
    balances: list[Balance], negative: bool, increment: int, pieces: list[int]
) -> None:
    cheap = [RateSlot(0, "0.02", "0.006", 60, 10)]
    rater = make_rater(increment=increment, subjects={"cheap": cheap})
    charger = Charger(*balances, rater=rater, allow_negative=negative)
    whole = twin(charger)
    assert call_ns(charger, *pieces) == call_ns(whole, sum(pieces))
    assert exact_losses(charger) == exact_losses(whole)
    for balance in balances:
        left = charger.balances[balance.balance_id]
        lost = exact_losses(charger).get(balance.balance_id, Fraction(0))
        # Nothing comes from nowhere: what is left is what was there less what the entries say.
        assert left.value - left.used_part == balance.value - lost
        assert left.reserved == 0
        assert left.value >= 0 or (negative and left.kind == "monetary")
        assert 0 <= left.used_part < 1


def test_increments_of_5_ms_take_a_seconds_balance_in_parts() -> None:
    charger = Charger(units(2, "voice", 10, rating_subject="*zero5ms"))
    call_ns(charger, 1_001 * MS)
    # 1,005 ms: a second is booked when all of it is used.
    assert (charger.value(2), charger.balances[2].used_part) == (9, Fraction(1, 200))
    assert charger.sessions["s", 0].meters[0].free_units == 1_001 * MS
    charger.send(Operation.EVENT, ns(2_995 * MS), session="e")
    assert (charger.value(2), charger.balances[2].used_part) == (6, 0)


def test_seconds_take_a_balance_of_5_ms_whole() -> None:
    charger = Charger(units(2, "voice", 10, rating_subject="*zero5ms"))
    charger.send(Operation.EVENT, item("voice", 3), session="e")
    assert (charger.value(2), charger.balances[2].used_part) == (7, 0)
    assert charger.booked(2) == -3


def test_without_a_finer_increment_each_second_that_has_begun_is_taken_once() -> None:
    charger = Charger(units(2, "voice", 10))
    call_ns(charger, 400 * MS, 400 * MS, 400 * MS)
    assert charger.value(2) == 8


def test_a_group_divides_a_balance_no_finer_than_the_balance_is() -> None:
    group = Group(1, {0: ("*lowest", "*zero5ms")})
    charger = Charger(units(2, "voice", 10, groups=(1,)), groups=[group])
    charger.send(Operation.EVENT, ns(1_001 * MS), session="e")
    assert charger.value(2) == 8


def test_quotas_are_granted_in_nanoseconds_by_the_policy_of_seconds() -> None:
    policy = QuotaPolicy(default_units=60, max_units=100, threshold_percent=10)
    charger = Charger(money(100_000_000), policies={("voice", 0): policy})

    def granted(asked: Units) -> AnswerItem:
        request = RequestItem("voice", GERMANY, asked)
        (answer,) = charger.send(Operation.UPDATE, request, ns(used=0), number=2).items[:1]
        return answer

    first = charger.send(Operation.INITIATE, ns(1_500 * MS)).items[0]
    assert (first.type_of_record, first.granted, first.threshold) == (VOICE_NS, 1_500 * MS, 150 * MS)
    # The session goes on in nanoseconds, also where its client gives seconds or nothing.
    assert charger.send(Operation.UPDATE, item("voice", 7), number=1).items[0].granted == 7 * NANO
    assert granted(Units()).granted == 60 * NANO
    assert granted(Units(time_ns=1_000 * NANO)).granted == 100 * NANO


def test_a_grant_ends_where_money_does() -> None:
    rater = make_rater(rate="0.06", increment=1)
    charger = Charger(money(1_500), units(2, "voice", 1, rating_subject="*zero5ms"), rater=rater)
    answer = charger.send(Operation.MAX_USAGE, ns(60 * NANO), session="q").items[0]
    assert answer.granted == 2 * NANO
    answer = charger.send(Operation.INITIATE, ns(60 * NANO)).items[0]
    assert (answer.granted, answer.final is not None) == (2 * NANO, True)
    assert charger.reserved(2) == 1


def test_a_session_of_seconds_goes_on_in_nanoseconds() -> None:
    charger = Charger(units(2, "voice", 100, rating_subject="*zero5ms"))
    charger.send(Operation.INITIATE, item("voice", 60))
    charger.send(Operation.UPDATE, item("voice", 60, 10), number=1, at=NOON + timedelta(seconds=10))
    charger.send(Operation.TERMINATE, ns(used=2_501 * MS), number=2, at=NOON + timedelta(seconds=13))
    (meter,) = charger.sessions["s", 0].meters
    assert (meter.position, meter.units) == (12_501 * MS, 13)
    assert (charger.value(2), charger.balances[2].used_part) == (88, Fraction(101, 200))


def test_totals_in_nanoseconds_that_fall_give_back_what_was_taken() -> None:
    charger = Charger(units(2, "voice", 100, rating_subject="*zero5ms"), money(5_000))

    def report(operation: Operation, number: int, total: int | None, asked: int | None) -> None:
        at = NOON + timedelta(seconds=number)
        charger.ask(
            OnlineRequest(operation, "s", number, at, "4915", items=(ns(asked, total),), totals=True), at
        )

    report(Operation.INITIATE, 0, None, 60 * NANO)
    report(Operation.UPDATE, 1, 20_003 * MS, 60 * NANO)
    assert charger.value(2) - charger.balances[2].used_part == 100 - Fraction(20_005, 1_000)
    report(Operation.TERMINATE, 2, 12_341 * MS, None)
    assert charger.value(2) - charger.balances[2].used_part == 100 - Fraction(12_345, 1_000)
    assert charger.sessions["s", 0].meters[0].position == 12_341 * MS


@pytest.mark.parametrize(("subject", "given_back"), [("*zero5ms", 2_500), ("", 3_000), ("cheap", 3_000)])
def test_a_refund_in_nanoseconds_goes_back_to_where_it_was_taken(subject: str, given_back: int) -> None:
    cheap = [RateSlot(0, "0", "0.006", 60, 1)]
    rater = make_rater(subjects={"cheap": cheap})
    before = (units(2, "voice", 10, rating_subject=subject), money(1_000_000))
    charger = Charger(*before, rater=rater)
    charger.send(Operation.EVENT, ns(2_500 * MS), session="a")
    assert charger.value(2) < 10
    charger.send(Operation.REFUND, ns(given_back * MS), session="b")
    assert charger.balances[2].value - charger.balances[2].used_part == 10
    assert charger.value(1) == 1_000_000


def test_an_event_of_more_than_there_is_takes_nothing() -> None:
    charger = Charger(units(2, "voice", 1, rating_subject="*zero5ms"))
    answer = charger.send(Operation.EVENT, ns(1_000 * MS + 1), session="a")
    assert (answer.result, charger.value(2)) == (Result.CREDIT_LIMIT_REACHED, 1)
    assert charger.send(Operation.EVENT, ns(1_000 * MS), session="b").result is Result.SUCCESS


def test_counters_see_seconds_that_have_begun_and_each_once() -> None:
    charger = Charger(money(1_000_000))
    counted = 0
    for number, operation in enumerate([Operation.INITIATE, Operation.UPDATE, Operation.TERMINATE]):
        before = charger.state_of(_request(operation, number))
        outcome = charger.outcome_of(_request(operation, number))
        counted += sum(use.units for use in uses_of(before, outcome, _request(operation, number), NOON))
        charger.ask(_request(operation, number))
    assert counted == 2


def _request(operation: Operation, number: int) -> OnlineRequest:
    used = None if operation is Operation.INITIATE else 700 * MS
    asked = None if operation is Operation.TERMINATE else 60 * NANO
    return OnlineRequest(operation, "s", number, NOON, "4915", items=(ns(asked, used),))


def test_a_stored_quota_still_counts_nanoseconds() -> None:
    charger = Charger(money(1_000_000))
    charger.send(Operation.INITIATE, ns(1_500 * MS))
    (meter,) = charger.sessions["s", 0].meters
    holds = {0: list(meter.holds)}
    assert meters_from_text(meters_to_text((meter,)), holds) == (meter,)
