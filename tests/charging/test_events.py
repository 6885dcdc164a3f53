"""What happens without a session: events, refunds, money, questions, top-ups, adjustments, transfers."""

from __future__ import annotations

from datetime import timedelta

import pytest

from apps.charging.domain.balances import DEFAULT_TAG
from apps.charging.domain.lines import Grant
from apps.charging.domain.requests import BalanceOrder, Operation, RequestItem, Result
from apps.charging.domain.state import Account
from tests.charging.online import ACCOUNT_ID, MIB, NOON, Charger, item, make_line, money, units


def test_an_sms_is_debited_at_once() -> None:
    charger = Charger(money(120_000))
    answer = charger.send(Operation.EVENT, item("sms", 2))
    assert (answer.result, answer.items[0].granted, answer.cost_micros) == (Result.SUCCESS, 2, 100_000)
    assert (charger.value(), charger.reserved(), charger.sessions) == (20_000, 0, {})


def test_an_event_is_paid_whole_or_not_at_all() -> None:
    charger = Charger(money(70_000))
    answer = charger.send(Operation.EVENT, item("sms", 2))
    assert answer.result is Result.CREDIT_LIMIT_REACHED
    assert (charger.value(), charger.entries) == (70_000, [])


def test_free_units_pay_for_events_too() -> None:
    charger = Charger(
        money(50_000), line=make_line(grants={"sms": (Grant("plan:1", 3, frozenset(), frozenset()),)})
    )
    assert charger.send(Operation.EVENT, item("sms", 4)).cost_micros == 50_000
    assert [counter.used for counter in charger.counters.values()] == [3]


def test_a_refund_gives_back_what_the_units_cost() -> None:
    charger = Charger(money(0))
    answer = charger.send(Operation.REFUND, item("sms", 2))
    assert (answer.cost_micros, charger.value()) == (-100_000, 100_000)
    assert [entry.kind for entry in charger.entries] == ["refund"]


@pytest.mark.parametrize(
    ("amount", "result", "left"),
    [
        (30_000, Result.SUCCESS, 20_000),
        (50_001, Result.CREDIT_LIMIT_REACHED, 50_000),
        (-1, Result.UNABLE_TO_COMPLY, 50_000),
    ],
)
def test_money_is_debited_without_rating(amount: int, result: Result, left: int) -> None:
    charger = Charger(money(50_000))
    assert charger.send(Operation.EVENT, RequestItem("game", money_micros=amount)).result is result
    assert charger.value() == left


@pytest.mark.parametrize("operation", [Operation.EVENT, Operation.REFUND, Operation.CHECK_BALANCE])
def test_money_in_another_currency_than_the_accounts_is_refused(operation: Operation) -> None:
    charger = Charger(money(50_000))
    answer = charger.send(operation, RequestItem("game", money_micros=1_000, money_currency="USD"))
    assert (answer.result, answer.items[0].reason) == (Result.RATING_FAILED, "currency_differs")
    assert (charger.value(), charger.entries) == (50_000, [])
    same = RequestItem("game", money_micros=1_000, money_currency="EUR")
    assert charger.send(operation, same, number=1).result is Result.SUCCESS


def test_money_is_refunded_without_rating() -> None:
    charger = Charger(money(50_000))
    charger.send(Operation.REFUND, RequestItem("game", money_micros=7))
    assert charger.value() == charger.booked() + 50_000 == 50_007


def test_checking_the_balance_holds_nothing_and_counts_all_items_together() -> None:
    charger = Charger(money(150_000))
    enough = charger.send(Operation.CHECK_BALANCE, item("sms", 3))
    too_much = charger.send(Operation.CHECK_BALANCE, item("sms", 2), item("mms", 1))
    assert (enough.enough, too_much.enough) == (True, False)
    assert (enough.result, charger.reserved(), charger.entries) == (Result.SUCCESS, 0, [])
    assert enough.balance_micros == 150_000


def test_the_price_is_told_with_any_balance() -> None:
    charger = Charger(money(0))
    charger.barred = True
    answer = charger.send(Operation.PRICE_ENQUIRY, item("data", 3 * MIB), item("sms", 1))
    assert [got.cost_micros for got in answer.items] == [30_000, 50_000]
    assert answer.cost_micros == 80_000


def test_the_maximum_usage_is_what_the_balances_buy() -> None:
    charger = Charger(money(60_000), units(2, "voice", 40))
    assert charger.send(Operation.MAX_USAGE, item(asked=9_999)).items[0].granted == 100
    assert charger.reserved() == charger.reserved(2) == 0


def test_the_maximum_usage_of_an_account_that_may_be_negative_has_no_limit() -> None:
    charger = Charger(money(0), allow_negative=True)
    assert charger.send(Operation.MAX_USAGE, item(asked=10**6)).items[0].granted == 10**6


def order(amount: int, **more: object) -> BalanceOrder:
    return BalanceOrder(ACCOUNT_ID, amount, "cash", **more)  # type: ignore[arg-type]


def test_a_top_up_adds_and_makes_a_missing_balance() -> None:
    charger = Charger()
    expires = NOON + timedelta(days=30)
    charger.send(Operation.TOP_UP, order=order(5_000, note="Voucher"))
    charger.send(
        Operation.TOP_UP, number=1, order=order(600, tag="bonus", kind="voice", expires_at=expires, weight=9)
    )
    first, second = charger.balances.values()
    assert (first.tag, first.kind, first.value) == (DEFAULT_TAG, "monetary", 5_000)
    assert (second.tag, second.kind, second.value, second.terms.weight, second.terms.expires_at) == (
        "bonus",
        "voice",
        600,
        9,
        expires,
    )
    assert [(entry.kind, entry.book, entry.note) for entry in charger.entries] == [
        ("top_up", "cash", "Voucher"),
        ("top_up", "cash", ""),
    ]


def test_a_top_up_prolongs_a_balance_and_never_shortens_it() -> None:
    charger = Charger(units(2, "voice", 10, tag="bonus", expires_at=NOON + timedelta(days=5)))
    for number, days in enumerate((9, 2)):
        expires = NOON + timedelta(days=days)
        charger.send(
            Operation.TOP_UP, number=number, order=order(1, tag="bonus", kind="voice", expires_at=expires)
        )
    assert charger.balances[2].terms.expires_at == NOON + timedelta(days=9)


def test_a_credit_with_an_end_leaves_money_without_one_without_an_end() -> None:
    charger = Charger(money(5_000))
    charger.send(Operation.TOP_UP, order=order(1_000, expires_at=NOON + timedelta(days=30)))
    assert (charger.value(), charger.balances[1].terms.expires_at) == (6_000, None)


@pytest.mark.parametrize("operation", [Operation.TOP_UP, Operation.ADJUST])
def test_a_credit_without_an_end_can_be_used_although_the_balance_had_ended(operation: Operation) -> None:
    charger = Charger(money(5_000, expires_at=NOON - timedelta(days=1)))
    assert charger.send(operation, order=order(100_000)).balance_micros == 105_000
    running = NOON + timedelta(days=1)
    charger = Charger(money(5_000, expires_at=running))
    charger.send(operation, order=order(100_000))
    assert charger.balances[1].terms.expires_at == running


@pytest.mark.parametrize(
    ("given", "result", "value"),
    [
        (order(-4_000), Result.SUCCESS, 1_000),
        (order(-5_001), Result.CREDIT_LIMIT_REACHED, 5_000),
        (order(-5_001, may_overdraw=True), Result.SUCCESS, -1),
        (order(0), Result.UNABLE_TO_COMPLY, 5_000),
        (order(1, kind="gold"), Result.UNABLE_TO_COMPLY, 5_000),
        (order(1, kind="voice"), Result.UNABLE_TO_COMPLY, 5_000),
    ],
)
def test_an_adjustment_never_takes_a_balance_below_zero_without_leave(
    given: BalanceOrder, result: Result, value: int
) -> None:
    charger = Charger(money(5_000))
    answer = charger.send(Operation.ADJUST, order=given)
    assert (answer.result, charger.value()) == (result, value)
    assert bool(answer.message) is (result is not Result.SUCCESS)


def test_an_adjustment_leaves_what_a_session_holds() -> None:
    charger = Charger(money(100_000))
    charger.send(Operation.INITIATE, item(asked=60))
    assert (
        charger.send(Operation.ADJUST, order=order(-50_000), session="b").result
        is Result.CREDIT_LIMIT_REACHED
    )
    assert charger.send(Operation.ADJUST, order=order(-40_000), session="c").result is Result.SUCCESS


def test_a_transfer_takes_from_one_account_what_it_gives_the_other() -> None:
    charger = Charger(money(5_000))
    assert isinstance(charger.account, Account)
    charger.other = charger.account._replace(account_id=2, number="A2")
    answer = charger.send(Operation.TRANSFER, order=order(3_000, to_account_id=2))
    assert answer.result is Result.SUCCESS
    assert {balance.account_id: balance.value for balance in charger.balances.values()} == {
        1: 2_000,
        2: 3_000,
    }
    assert sum(entry.amount for entry in charger.entries) == 0
    answer = charger.send(Operation.TRANSFER, number=1, order=order(3_000, to_account_id=2))
    assert answer.result is Result.CREDIT_LIMIT_REACHED


def test_money_is_not_transferred_into_another_currency() -> None:
    charger = Charger(money(5_000))
    assert isinstance(charger.account, Account)
    charger.other = charger.account._replace(account_id=2, currency="GBP")
    answer = charger.send(Operation.TRANSFER, order=order(3_000, to_account_id=2))
    assert (answer.result, answer.reason) == (Result.UNABLE_TO_COMPLY, "currency_differs")
