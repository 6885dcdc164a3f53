"""Sessions that are granted money itself: nothing is rated, the used amount is the cost."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.charging.domain.policies import QuotaPolicy
from apps.charging.domain.requests import (
    SERVER_DECIDES,
    ChargingAnswer,
    FinalUnit,
    FinalUnitAction,
    Operation,
    RequestItem,
    Result,
)
from tests.charging.online import NOON, Charger, item, make_line, money, units_of


def asks(
    micros: int | None, used: int | None = None, *, service: str = "game", currency: str = ""
) -> RequestItem:
    return RequestItem(
        service,
        requested=None if micros is None else SERVER_DECIDES,
        rating_group=1,
        money_micros=micros or 0,
        money_currency=currency,
        used_money_micros=used,
    )


def grant(answer: ChargingAnswer) -> tuple[int | None, bool]:
    assert answer.items[0].type_of_record == "monetary:EUR"
    return answer.items[0].granted, answer.items[0].final is not None


def test_an_amount_is_held_debited_and_the_rest_given_back():
    charger = Charger(money(100_000))
    assert grant(charger.send(Operation.INITIATE, asks(60_000))) == (60_000, False)
    assert (charger.value(), charger.reserved()) == (100_000, 60_000)

    answer = charger.send(Operation.UPDATE, asks(60_000, 45_000), number=1)
    assert (grant(answer), answer.cost_micros) == ((55_000, True), 45_000)
    assert (charger.value(), charger.reserved()) == (55_000, 55_000)

    answer = charger.send(Operation.TERMINATE, asks(None, 5_000), number=2)
    assert (answer.result, answer.cost_micros) == (Result.SUCCESS, 5_000)
    assert (charger.value(), charger.reserved(), charger.booked()) == (50_000, 0, -50_000)
    assert charger.sessions["s", 0].cost_micros == 50_000


def test_nothing_left_is_a_grant_of_nothing_with_the_final_action():
    policy = QuotaPolicy(1, validity_s=60, final=FinalUnit(FinalUnitAction.REDIRECT, "http://pay.example"))
    charger = Charger(money(0), policies={("voice", 1): policy})
    answer = charger.send(Operation.INITIATE, asks(1, service="voice"))

    assert answer.result is Result.SUCCESS
    assert (answer.items[0].granted, answer.items[0].final) == (0, policy.final)


def test_used_money_that_no_balance_covers_is_unpaid_and_never_below_zero():
    charger = Charger(money(10_000))
    charger.send(Operation.INITIATE, asks(10_000))
    answer = charger.send(Operation.TERMINATE, asks(None, 12_000), number=1)

    assert (answer.items[0].cost_micros, answer.items[0].unpaid_micros) == (10_000, 2_000)
    assert charger.value() == 0


@pytest.mark.parametrize("terms", [{"allow_negative": True}, {"line": make_line(prepaid=False)}])
def test_an_account_that_may_owe_gets_all_and_owes_its_usage(terms):
    charger = Charger(money(0), **terms)
    assert grant(charger.send(Operation.INITIATE, asks(70_000))) == (70_000, False)
    charger.send(Operation.TERMINATE, asks(None, 30_000), number=1)

    assert (charger.value(), charger.reserved()) == (-30_000, 0)


def test_another_currency_than_the_accounts_is_refused_and_debits_nothing():
    charger = Charger(money(10_000))
    answer = charger.send(Operation.INITIATE, asks(10, currency="USD"))
    assert (answer.result, answer.items[0].reason) == (Result.RATING_FAILED, "currency_differs")

    charger.send(Operation.INITIATE, asks(10, currency="EUR"))
    answer = charger.send(Operation.UPDATE, asks(None, 10, currency="USD"), number=1)
    assert (answer.items[0].result, charger.value(), charger.reserved()) == (Result.RATING_FAILED, 10_000, 0)


def test_less_than_nothing_is_refused():
    charger = Charger(money(10_000))
    assert charger.send(Operation.INITIATE, asks(-1)).items[0].reason == "negative_amount"
    charger.send(Operation.INITIATE, asks(10))
    assert charger.send(Operation.UPDATE, asks(None, -5), number=1).items[0].reason == "negative_amount"
    assert charger.value() == 10_000


def test_seconds_beside_money_are_rated_only_where_seconds_were_granted():
    charger = Charger(money(1_000_000))
    both = asks(None, 20_000, service="voice")._replace(used=item(used=60).used)
    charger.send(Operation.INITIATE, asks(50_000, service="voice"), session="money")
    assert charger.send(Operation.TERMINATE, both, number=1, session="money").cost_micros == 20_000

    charger.send(Operation.INITIATE, item(asked=60, rating_group=1), session="time")
    at = NOON + timedelta(minutes=1)
    assert charger.send(Operation.TERMINATE, both, number=1, session="time", at=at).cost_micros == 60_000


def test_a_quota_may_go_from_money_to_units_and_back():
    charger = Charger(money(1_000_000))
    charger.send(Operation.INITIATE, asks(50_000, service="sms"))
    to_units = asks(None, 20_000, service="sms")._replace(requested=units_of("sms", 3))
    answer = charger.send(Operation.UPDATE, to_units, number=1)
    assert (answer.cost_micros, answer.items[0].granted, answer.items[0].type_of_record) == (20_000, 3, "sms")
    used = item("sms", 1, 2, destination="", rating_group=1)
    assert charger.send(Operation.UPDATE, used, number=2).cost_micros == 100_000
    back = asks(70_000, service="sms")._replace(used=item("sms", used=1).used)
    answer = charger.send(Operation.UPDATE, back, number=3)
    assert (answer.cost_micros, grant(answer)) == (50_000, (70_000, False))
    assert charger.value() == 1_000_000 - 20_000 - 150_000


def test_a_report_in_money_after_the_session_expired_is_debited():
    charger = Charger(money(100_000))
    charger.send(Operation.INITIATE, asks(60_000))
    late = NOON + timedelta(hours=1)
    charger.send(Operation.EXPIRE, at=late)
    answer = charger.send(Operation.UPDATE, asks(60_000, 40_000), number=1, at=late)

    assert answer.result is Result.UNKNOWN_SESSION
    assert (charger.value(), charger.reserved()) == (60_000, 0)


@given(
    st.integers(0, 1_000),
    st.lists(st.tuples(st.integers(1, 400), st.integers(0, 400)), min_size=1, max_size=8),
)
def test_the_debit_is_the_usage_as_far_as_there_is_money(balance, steps):
    charger = Charger(money(balance))
    charger.send(Operation.INITIATE, asks(steps[0][0]))
    if not charger.sessions:
        return
    used_in_all = 0
    for number, (asked, used) in enumerate(steps, 1):
        charger.send(Operation.UPDATE, asks(asked, used), number=number)
        used_in_all += used
        assert 0 <= charger.reserved() <= charger.value()
        assert charger.value() == balance - min(used_in_all, balance)
        assert charger.sessions["s", 0].unpaid_micros == max(used_in_all - balance, 0)
    charger.send(Operation.TERMINATE, number=len(steps) + 1)
    assert charger.reserved() == 0
