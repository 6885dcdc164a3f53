"""What is given back goes to where it was taken, the last first: refunds, and totals of sessions that fall."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction

import pytest
from django.core.management import call_command
from hypothesis import given
from hypothesis import strategies as st

from apps.charging.domain.balances import Group
from apps.charging.domain.lines import Grant
from apps.charging.domain.requests import OnlineRequest, Operation, RequestItem, Result
from apps.charging.models import AllowanceCounter, LedgerEntry
from apps.charging.models import Balance as BalanceRow
from apps.charging.services.operations import top_up
from apps.rating.domain.source import RateSlot
from tests.charging.online import (
    ACCOUNT_ID,
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
from tests.charging.stored import (
    NOW,
    account_of,
    assert_books_are_right,
    charge_all,
    charge_now,
    default_balance,
    make_prepaid,
    request,
)
from tests.charging.test_charging_laws import chargers, losses, twin
from tests.factories import make_plan


def event(charger: Charger, amount: int, session: str, service: str = "voice", to: str = GERMANY) -> None:
    asked = item(service, amount, destination=to)
    assert charger.send(Operation.EVENT, asked, session=session).result is Result.SUCCESS


def refund(charger: Charger, amount: int, session: str, service: str = "voice", to: str = GERMANY) -> int:
    answer = charger.send(Operation.REFUND, item(service, amount, destination=to), session=session)
    assert answer.result is Result.SUCCESS
    return answer.cost_micros


def values(charger: Charger) -> dict[int, int]:
    return {balance_id: balance.value for balance_id, balance in charger.balances.items()}


def test_units_come_back_as_units_and_no_money_with_them() -> None:
    charger = Charger(money(10**6), units(2, "sms", 5))
    event(charger, 2, "a", "sms")
    assert refund(charger, 1, "b", "sms") == 0
    assert values(charger) == {1: 10**6, 2: 4}
    assert refund(charger, 1, "c", "sms") == 0
    assert values(charger) == {1: 10**6, 2: 5}
    assert {entry.kind for entry in charger.entries} == {"usage", "refund"}


def test_what_was_taken_last_comes_back_first() -> None:
    charger = Charger(money(10**6), units(2, "voice", 40))
    event(charger, 60, "a")
    assert refund(charger, 30, "b") == -20_000
    assert values(charger) == {1: 10**6, 2: 10}
    assert [entry.balance_id for entry in charger.entries[2:]] == [1, 2]
    assert refund(charger, 30, "c") == 0
    assert values(charger) == {1: 10**6, 2: 40}


def test_the_last_debit_comes_back_first_and_each_only_once() -> None:
    charger = Charger(money(10**6), units(2, "sms", 1), units(3, "monetary", 60_000, weight=5))
    for session in "abc":
        event(charger, 1, session, "sms")
    assert values(charger) == {1: 960_000, 2: 0, 3: 0}
    for number, expected in enumerate(
        [{1: 10**6, 2: 0, 3: 10_000}, {1: 10**6, 2: 0, 3: 60_000}, {1: 10**6, 2: 1, 3: 60_000}]
    ):
        refund(charger, 1, f"back-{number}", "sms")
        assert values(charger) == expected
    # No debit is left: the price goes onto the default balance, as nothing else is known.
    assert refund(charger, 1, "more", "sms") == -50_000
    assert values(charger) == {1: 1_050_000, 2: 1, 3: 60_000}


def test_a_debit_after_a_refund_is_given_back_by_the_next() -> None:
    charger = Charger(money(10**6), units(2, "sms", 1))
    event(charger, 1, "a", "sms")
    refund(charger, 1, "b", "sms")
    event(charger, 1, "c", "sms")
    event(charger, 1, "d", "sms")
    assert [refund(charger, 1, name, "sms") for name in "efg"] == [-50_000, 0, -50_000]
    assert values(charger) == {1: 1_050_000, 2: 1}


@pytest.mark.parametrize("kind", ["sms", "monetary"])
def test_what_has_expired_goes_onto_the_default_balance_once_and_the_entry_says_so(kind: str) -> None:
    size = 50_000 if kind == "monetary" else 1
    end = NOON + timedelta(hours=1)
    charger = Charger(money(0), units(2, kind, 2 * size, weight=9, expires_at=end))
    event(charger, 2, "a", "sms")
    charger.now = end
    assert refund(charger, 1, "b", "sms") == -50_000
    assert values(charger) == {1: 50_000, 2: 0}
    entry = charger.entries[-1]
    assert (entry.note, entry.cause[-len(f"~2={size}") :]) == (
        f"sms, instead of {kind}-2: expired",
        f"~2={size}",
    )
    assert refund(charger, 1, "c", "sms") == -50_000
    event(charger, 2, "d", "sms")
    refund(charger, 2, "e", "sms")
    assert values(charger) == {1: 100_000, 2: 0}


def test_parts_of_a_unit_come_back_exactly() -> None:
    charger = Charger(units(2, "generic", 5, factors=(("sms", 2), ("voice", 60))))
    event(charger, 1, "a", "sms")
    event(charger, 70, "b")
    assert (charger.value(2), charger.balances[2].used_part) == (4, Fraction(2, 3))
    refund(charger, 10, "c")
    assert (charger.value(2), charger.balances[2].used_part) == (4, Fraction(1, 2))
    refund(charger, 1, "d", "sms")
    refund(charger, 60, "e")
    assert (charger.value(2), charger.balances[2].used_part, charger.booked(2)) == (5, 0, 0)


def test_units_at_a_price_come_back_with_their_money_and_whole_increments_only() -> None:
    cheap = [RateSlot(0, "0.02", "0.006", 60, 10)]
    charger = Charger(
        money(10**6),
        units(2, "voice", 100, rating_subject="cheap"),
        rater=make_rater(subjects={"cheap": cheap}),
    )
    event(charger, 55, "a")
    assert values(charger) == {1: 10**6 - 26_000, 2: 40}
    assert refund(charger, 15, "b") == -1_000
    assert values(charger) == {1: 10**6 - 25_000, 2: 50}
    refund(charger, 60, "c")
    assert values(charger)[2] == 100


def test_free_units_of_a_plan_are_counted_back() -> None:
    grants = {"sms": (Grant("plan:1", 2, frozenset(), frozenset()),)}
    charger = Charger(money(10**6), line=make_line(grants=grants))
    event(charger, 3, "a", "sms")
    assert refund(charger, 2, "b", "sms") == -50_000
    assert [counter.used for counter in charger.counters.values()] == [1]
    assert charger.value() == 10**6


def test_usage_of_a_session_is_given_back_from_its_end() -> None:
    charger = Charger(money(10**6), units(2, "voice", 40))
    call(charger, 20, 40)
    assert refund(charger, 30, "b") == -20_000
    assert values(charger) == {1: 10**6, 2: 10}
    assert charger.entries[-1].session_row == 1


def test_units_of_another_destination_are_not_those_of_the_refund() -> None:
    charger = Charger(
        money(10**6),
        units(2, "voice", 60, included=frozenset({"DE"})),
        units(3, "voice", 60, included=frozenset({"GB"})),
    )
    event(charger, 60, "a", to=BRITAIN)
    event(charger, 60, "b")
    refund(charger, 60, "c", to=BRITAIN)
    assert values(charger) == {1: 10**6, 2: 0, 3: 60}


def test_money_itself_goes_back_to_the_balances_that_it_was_taken_from() -> None:
    charger = Charger(money(10**6), units(2, "monetary", 30_000, weight=5))
    charger.send(Operation.EVENT, RequestItem("game", money_micros=50_000), session="a")
    answer = charger.send(Operation.REFUND, RequestItem("game", money_micros=35_000), session="b")
    assert (answer.cost_micros, values(charger)) == (-35_000, {1: 10**6, 2: 15_000})
    charger.send(Operation.REFUND, RequestItem("game", money_micros=35_000), session="c")
    assert values(charger) == {1: 1_020_000, 2: 30_000}


def test_what_another_member_of_the_group_paid_goes_back_to_that_member() -> None:
    theirs = units(2, "sms", 5, account_id=2, groups=(1,))
    charger = Charger(money(0), theirs, groups=[Group(1, {ACCOUNT_ID: ("*lowest", "")})])
    event(charger, 2, "a", "sms")
    refund(charger, 1, "b", "sms")
    assert values(charger) == {1: 0, 2: 4}


def report(charger: Charger, number: int, total: int, *, ends: bool = False, after_s: int = 60) -> int:
    """What a report of a total costs, below zero if it gives back."""
    operation = Operation.TERMINATE if ends else Operation.UPDATE
    asked = item("voice", None if ends else 60, total)
    at = NOON + timedelta(seconds=after_s * number)
    return charger.ask(
        OnlineRequest(operation, "s", number, at, "4915", items=(asked,), totals=True), at
    ).cost_micros


TOTALS = {
    "money": ([money(10**6)], [60, 100, 40], [60_000, 40_000, -60_000], {1: 10**6 - 40_000}),
    "units, then money": (
        [money(10**6), units(2, "voice", 50)],
        [60, 100, 70],
        [10_000, 40_000, -30_000],
        {1: 980_000, 2: 0},
    ),
    "down into the units": (
        [money(10**6), units(2, "voice", 50)],
        [60, 100, 20],
        [10_000, 40_000, -50_000],
        {1: 10**6, 2: 30},
    ),
    "the same again": ([money(10**6)], [60, 60, 60], [60_000, 0, 0], {1: 10**6 - 60_000}),
    "up, down and up": (
        [money(10**6), units(2, "voice", 50)],
        [80, 10, 60],
        [30_000, -30_000, 10_000],
        {1: 990_000, 2: 0},
    ),
    "what was unpaid": ([money(30_000)], [60, 90, 20], [30_000, 0, -10_000], {1: 10_000}),
}


@pytest.mark.parametrize("case", TOTALS)
@pytest.mark.parametrize("ends", [False, True])
def test_a_total_that_falls_gives_the_difference_back(case: str, ends: bool) -> None:
    balances, totals, costs, left = TOTALS[case]
    charger = Charger(*balances)
    charger.send(Operation.INITIATE, item(asked=60))
    told = [
        report(charger, number, total, ends=ends and number == len(totals))
        for number, total in enumerate(totals, 1)
    ]
    assert (told, values(charger)) == (costs, left)
    (meter,) = charger.sessions["s", 0].meters
    assert (meter.position, meter.unpaid_micros) == (totals[-1], 0)
    assert meter.cost_micros == sum(costs)


def test_a_session_that_ends_with_nothing_used_gets_its_connect_fee_back() -> None:
    charger = Charger(money(10**6), rater=make_rater(connect_fee="0.10"))
    charger.send(Operation.INITIATE, item(asked=60))
    assert report(charger, 1, 60) == 160_000
    assert report(charger, 2, 0, ends=True) == -160_000
    assert charger.value() == 10**6


def test_increments_of_a_gateway_stay_as_they_are() -> None:
    charger = Charger(money(10**6))
    charger.send(Operation.INITIATE, item(asked=60))
    charger.send(Operation.UPDATE, item(asked=60, used=60), number=1)
    charger.send(Operation.TERMINATE, item(used=10), number=2, at=NOON + timedelta(seconds=70))
    assert charger.value() == 10**6 - 70_000


def test_quotas_of_one_service_in_a_session_do_not_give_back_what_the_others_took() -> None:
    charger = Charger(money(10**6), units(2, "voice", 50))
    for number, (group, total) in enumerate([(1, 40), (2, 40), (1, 10)]):
        asked = item("voice", 60, total, rating_group=group)
        operation = Operation.UPDATE if number else Operation.INITIATE
        at = NOON + timedelta(seconds=number)
        charger.ask(OnlineRequest(operation, "s", number, at, "4915", items=(asked,), totals=True), at)
    assert losses(charger) == {2: -40, 1: -10_000}
    assert [meter.position for meter in charger.sessions["s", 0].meters] == [10, 40]


@given(chargers(), st.lists(st.integers(0, 400), min_size=1, max_size=6))
def test_a_session_of_totals_costs_what_its_last_total_costs(charger: Charger, totals: list[int]) -> None:
    assert charger.account is not None
    # An overdraft is taken last, from the balance that perhaps paid first: which of it comes back first is not said.
    charger.account = charger.account._replace(allow_negative=False)
    whole = twin(charger)
    for one, reported in ((charger, totals), (whole, totals[-1:])):
        one.send(Operation.INITIATE)
        for number, total in enumerate(reported, 1):
            # All at once, so that no balance has expired when it is to be given back to.
            report(one, number, total, ends=number == len(reported), after_s=0)
    assert losses(charger) == losses(whole)
    (meter,), (expected,) = charger.sessions["s", 0].meters, whole.sessions["s", 0].meters
    assert meter.cost_micros == expected.cost_micros
    assert (meter.position, meter.free_units) == (expected.position, expected.free_units)
    assert {key: value.used for key, value in charger.counters.items() if value.used} == {
        key: value.used for key, value in whole.counters.items() if value.used
    }


@pytest.mark.django_db
@pytest.mark.parametrize("together", [False, True])
def test_refunds_and_totals_find_what_was_taken_in_the_database_and_in_their_batch(together: bool) -> None:
    make_prepaid(balance_micros=1_000_000, plan=make_plan("PLAN", voice=(60_000, 0), sms=(50_000, 1)).code)
    top_up(account_of(), 30, NOW, key="x", tag="minutes", kind="voice")
    wanted = [
        request(Operation.EVENT, item("sms", 2), session="e"),
        request(Operation.REFUND, item("sms", 2), session="r"),
        request(Operation.INITIATE, item(asked=60)),
        request(
            Operation.UPDATE, item(asked=60, used=60), number=1, at=NOW + timedelta(seconds=60), totals=True
        ),
        request(Operation.TERMINATE, item(used=20), number=2, at=NOW + timedelta(seconds=90), totals=True),
    ]
    answers = charge_all(wanted) if together else [charge_now(one) for one in wanted]
    assert [answer.cost_micros for answer in answers] == [50_000, -50_000, 0, 60_000, -60_000]
    assert default_balance().amount_micros == 1_000_000
    assert BalanceRow.objects.get(tag="minutes").units == 10
    assert [row.used for row in AllowanceCounter.objects.all()] == [0]
    assert LedgerEntry.objects.filter(kind="refund").count() == 3
    assert_books_are_right()
    call_command("audit")
