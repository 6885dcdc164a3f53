"""Sessions: quotas held, usage debited, the rest released, and every way a session ends."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from apps.charging.domain.answers import answer_from_text, answer_to_text
from apps.charging.domain.policies import QuotaPolicy
from apps.charging.domain.requests import (
    SERVER_DECIDES,
    FinalUnit,
    FinalUnitAction,
    OnlineRequest,
    Operation,
    RequestItem,
    Result,
    TariffChange,
    Units,
    UsedUnits,
)
from apps.charging.domain.sessions import SessionStatus
from apps.rating.domain.source import RateSlot, Timing
from tests.charging.online import GERMANY, MIB, NOON, Charger, call, item, make_line, make_rater, money, units


def later(seconds: int) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_a_quota_is_held_then_debited_and_the_rest_given_back() -> None:
    charger = Charger(money(10**6))
    answer = charger.send(Operation.INITIATE, item(asked=300))
    assert (answer.items[0].granted, answer.balance_micros) == (300, 700_000)
    assert (charger.value(), charger.reserved(), charger.entries) == (10**6, 300_000, [])
    answer = charger.send(Operation.UPDATE, item(asked=300, used=300), number=1, at=later(300))
    assert (charger.value(), charger.reserved(), answer.cost_micros) == (700_000, 300_000, 300_000)
    answer = charger.send(Operation.TERMINATE, item(used=50), number=2, at=later(350))
    assert (charger.value(), charger.reserved(), answer.balance_micros) == (650_000, 0, 650_000)
    assert charger.sessions["s", 0].status == SessionStatus.CLOSED


def test_an_excess_reservation_counts_toward_the_next_quota() -> None:
    charger = Charger(money(400_000))
    charger.send(Operation.INITIATE, item(asked=400))
    answer = charger.send(Operation.UPDATE, item(asked=400, used=100), number=1, at=later(100))
    assert answer.items[0].granted == 300
    assert charger.reserved() == 300_000


def test_a_quota_is_cut_to_what_the_balances_buy_and_says_so() -> None:
    policy = QuotaPolicy(300, final=FinalUnit(FinalUnitAction.REDIRECT, "https://top.up/", ("f1",)))
    charger = Charger(money(45_000), rater=make_rater(increment=10), policies={("voice", 1): policy})
    answer = charger.send(Operation.INITIATE, item(asked=300))
    assert (answer.items[0].granted, answer.items[0].final) == (40, policy.final)
    assert charger.reserved() == 40_000
    answer = charger.send(Operation.UPDATE, item(asked=300, used=40), number=1, at=later(40))
    assert answer.items[0].result is answer.result is Result.SUCCESS
    assert (answer.items[0].granted, answer.items[0].final) == (0, policy.final)
    assert charger.value() == 5_000


def test_a_session_that_cannot_be_paid_is_not_opened() -> None:
    charger = Charger(money(0))
    assert charger.send(Operation.INITIATE, item(asked=300)).result is Result.CREDIT_LIMIT_REACHED
    assert charger.sessions == {}
    assert charger.send(Operation.UPDATE, item(used=1), number=1).result is Result.UNKNOWN_SESSION


def test_the_server_decides_the_size_where_the_client_does_not_ask_for_one() -> None:
    policies = {("data", 0): QuotaPolicy(5 * MIB, max_units=20 * MIB, threshold_percent=20)}
    charger = Charger(money(10**6), policies=policies)
    server = RequestItem("data", requested=SERVER_DECIDES, rating_group=1)
    answer = charger.send(Operation.INITIATE, server, item("data", 90 * MIB, rating_group=2))
    assert [got.granted for got in answer.items] == [5 * MIB, 20 * MIB]
    assert [got.threshold for got in answer.items] == [MIB, 4 * MIB]
    assert [(got.rating_group, got.service) for got in answer.items] == [(1, "data"), (2, "data")]


def test_rating_groups_share_what_the_balance_buys() -> None:
    charger = Charger(money(100_000))
    answer = charger.send(
        Operation.INITIATE,
        item("data", 8 * MIB, rating_group=1),
        item("data", 8 * MIB, rating_group=2),
        item("data", 8 * MIB, rating_group=3),
    )
    assert [got.granted for got in answer.items] == [8 * MIB, 2 * MIB, 0]
    assert [got.result for got in answer.items] == [
        Result.SUCCESS,
        Result.SUCCESS,
        Result.CREDIT_LIMIT_REACHED,
    ]
    assert answer.result is Result.SUCCESS


def test_an_update_of_one_rating_group_leaves_the_others_quota_alone() -> None:
    charger = Charger(money(10**6))
    charger.send(
        Operation.INITIATE, item("data", 8 * MIB, rating_group=1), item("data", 8 * MIB, rating_group=2)
    )
    charger.send(Operation.UPDATE, item("data", 2 * MIB, 8 * MIB, rating_group=1), number=1)
    assert (charger.value(), charger.reserved()) == (10**6 - 80_000, 20_000 + 80_000)
    charger.send(Operation.TERMINATE, item("data", None, MIB, rating_group=2), number=2)
    assert (charger.value(), charger.reserved()) == (10**6 - 90_000, 0)


def test_two_sessions_at_once_never_hold_more_than_there_is() -> None:
    charger = Charger(money(100_000))
    granted = [
        charger.send(Operation.INITIATE, item(asked=60), session=name).items[0].granted for name in "abc"
    ]
    assert granted == [60, 40, 0]
    charger.send(Operation.TERMINATE, item(used=10), number=1, session="a", at=later(10))
    assert charger.send(Operation.INITIATE, item(asked=60), session="d").items[0].granted == 50


def test_usage_beyond_the_quota_is_paid_as_far_as_money_goes_and_the_rest_is_noted() -> None:
    charger = Charger(money(50_000))
    charger.send(Operation.INITIATE, item(asked=50))
    answer = charger.send(Operation.TERMINATE, item(used=70), number=1, at=later(70))
    assert (answer.cost_micros, answer.items[0].unpaid_micros) == (50_000, 20_000)
    assert charger.value() == 0
    assert charger.sessions["s", 0].unpaid_micros == 20_000


def test_usage_beyond_the_quota_never_takes_what_another_session_holds() -> None:
    charger = Charger(money(100_000))
    charger.send(Operation.INITIATE, item(asked=60), session="mine")
    charger.send(Operation.INITIATE, item(asked=30), session="other")
    charger.send(Operation.TERMINATE, item(used=100), number=1, session="other", at=later(100))
    assert (charger.value(), charger.reserved()) == (60_000, 60_000)


def test_an_update_of_a_suspended_subscriber_is_debited_and_granted_nothing() -> None:
    charger = Charger(money(10**6))
    charger.send(Operation.INITIATE, item(asked=60))
    charger.barred = True
    answer = charger.send(Operation.UPDATE, item(asked=60, used=60), number=1, at=later(60))
    assert (answer.result, answer.items[0].granted, answer.cost_micros) == (Result.BARRED, 0, 60_000)
    assert (charger.value(), charger.reserved()) == (940_000, 0)


def test_a_request_without_a_subscriber_is_an_unknown_user() -> None:
    answer = Charger(money(10**6), known=False).send(Operation.INITIATE, item(asked=60))
    assert (answer.result, answer.reason) == (Result.UNKNOWN_USER, "unknown_subscriber")
    assert answer.items[0].result is Result.UNKNOWN_USER


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (item("telepathy", 60), "unknown_service"),
        (item(asked=60, destination=""), "unauthorised_destination"),
    ],
)
def test_an_item_without_a_price_is_refused_alone(asked: RequestItem, reason: str) -> None:
    charger = Charger(money(10**6))
    answer = charger.send(Operation.INITIATE, asked, item("sms", 1))
    assert (answer.items[0].result, answer.items[0].reason) == (Result.RATING_FAILED, reason)
    assert answer.items[1].granted == 1
    assert answer.result is Result.SUCCESS


def test_usage_without_a_price_is_kept_as_such() -> None:
    charger = Charger(money(10**6))
    charger.send(Operation.INITIATE, item("sms", 1))
    answer = charger.send(Operation.UPDATE, item(used=30, destination=""), number=1)
    assert answer.items[0].result is Result.RATING_FAILED
    assert charger.sessions["s", 0].meters[1].unrated_units == 30


def test_a_session_may_open_without_asking_for_anything() -> None:
    charger = Charger(money(0))
    assert charger.send(Operation.INITIATE).result is Result.SUCCESS
    answer = charger.send(Operation.TERMINATE, item(used=60), number=1, at=later(60))
    assert answer.items[0].unpaid_micros == 60_000


def test_a_session_cannot_be_opened_twice() -> None:
    charger = Charger(money(10**6))
    charger.send(Operation.INITIATE, item(asked=60))
    answer = charger.send(Operation.INITIATE, item(asked=60), number=1)
    assert (answer.result, answer.reason) == (Result.UNABLE_TO_COMPLY, "session_exists")
    assert charger.reserved() == 60_000


def test_supervision_ends_a_silent_session_and_gives_everything_back() -> None:
    charger = Charger(money(10**6), policies={("voice", 0): QuotaPolicy(60, validity_s=30)})
    answer = charger.send(Operation.INITIATE, item(asked=60))
    assert answer.validity_s == 30
    session = charger.sessions["s", 0]
    assert session.expires_at == later(60)
    charger.send(Operation.RELEASE, number=-1, at=later(60))
    assert charger.sessions["s", 0].status == SessionStatus.EXPIRED
    assert (charger.value(), charger.reserved()) == (10**6, 0)


def test_each_update_restarts_the_supervision() -> None:
    charger = Charger(money(10**6), policies={("voice", 0): QuotaPolicy(60, validity_s=30)})
    charger.send(Operation.INITIATE, item(asked=60))
    charger.send(Operation.UPDATE, item(asked=60, used=30), number=1, at=later(30))
    assert charger.sessions["s", 0].expires_at == later(90)


def test_a_report_after_supervision_ended_the_session_is_debited_once_and_refused() -> None:
    charger = Charger(money(10**6))
    charger.send(Operation.INITIATE, item(asked=600))
    charger.send(Operation.RELEASE, number=-1, at=later(1_200))
    answer = charger.send(Operation.TERMINATE, item(used=100), number=1, at=later(1_300))
    assert (answer.result, answer.reason) == (Result.UNKNOWN_SESSION, "session_ended")
    assert (charger.value(), charger.reserved()) == (900_000, 0)


def test_a_released_session_says_so() -> None:
    charger = Charger(money(10**6))
    charger.send(Operation.INITIATE, item(asked=600))
    charger.send(Operation.RELEASE, number=-1, at=later(5))
    assert charger.sessions["s", 0].status == SessionStatus.RELEASED


def test_a_late_termination_of_a_closed_session_moves_nothing() -> None:
    charger = Charger(money(10**6))
    call(charger, 60)
    answer = charger.send(Operation.TERMINATE, item(used=60), number=9, at=later(60))
    assert answer.result is Result.UNKNOWN_SESSION
    assert charger.value() == 940_000


def test_voice_is_priced_second_by_second_across_a_change_of_rates() -> None:
    evening = (Timing("EVENING", start_s=12 * 3600 + 30), [RateSlot(0, "0", "0.6", 60, 1)])
    charger = Charger(money(10**9), rater=make_rater(timed=[evening]))
    assert call(charger, 60) == 30_000 + 300_000
    assert call(charger, 10, 15, 15, 20, session="split") == 330_000


EVENING = (Timing("EVENING", start_s=13 * 3600), [RateSlot(0, "0", "0.000010", 1, 1)])


def data_desk(value: int) -> Charger:
    rater = make_rater(slots=[RateSlot(0, "0", "0.000001", 1, 1)], timed=[EVENING])
    return Charger(
        money(value),
        rater=rater,
        line=make_line(plan="timed"),
        policies={("data", 0): QuotaPolicy(100, validity_s=3_600)},
    )


def data(asked: int | None = None, used: tuple[UsedUnits, ...] = ()) -> RequestItem:
    return RequestItem("data", GERMANY, None if asked is None else Units(total_octets=asked), used)


def test_a_grant_before_a_tariff_change_is_sized_for_the_dearer_side() -> None:
    charger = data_desk(1_000)
    answer = charger.send(Operation.INITIATE, data(500))
    assert answer.items[0].granted == 100
    assert answer.items[0].tariff_change_at == NOON.replace(hour=13)
    assert charger.reserved() == 1_000


def test_units_used_before_and_after_a_tariff_change_have_their_own_prices() -> None:
    charger = data_desk(10_000)
    charger.send(Operation.INITIATE, data(500))
    used = (
        UsedUnits(Units(total_octets=30), TariffChange.BEFORE),
        UsedUnits(Units(total_octets=7), TariffChange.AFTER),
    )
    answer = charger.send(Operation.TERMINATE, data(None, used), number=1, at=NOON.replace(hour=13, minute=5))
    assert answer.cost_micros == 30 + 70


def test_a_rating_group_that_comes_twice_in_a_request_has_one_quota() -> None:
    charger = data_desk(10_000)
    charger.send(Operation.INITIATE, data(100), data(100))
    assert charger.reserved() == 1_000
    charger.send(
        Operation.TERMINATE,
        data(None, (UsedUnits(Units(total_octets=30), TariffChange.BEFORE),)),
        data(None, (UsedUnits(Units(total_octets=7), TariffChange.AFTER),)),
        number=1,
        at=NOON.replace(hour=13, minute=5),
    )
    assert (charger.value(), charger.reserved()) == (10_000 - 30 - 70, 0)


def test_data_reported_after_a_change_is_priced_by_when_the_piece_began() -> None:
    charger = data_desk(10_000)
    charger.send(Operation.INITIATE, data(50))
    afterwards = NOON.replace(hour=13, minute=5)
    answer = charger.send(
        Operation.UPDATE, data(50, (UsedUnits(Units(total_octets=30)),)), number=1, at=afterwards
    )
    assert answer.cost_micros == 30
    answer = charger.send(
        Operation.TERMINATE, data(None, (UsedUnits(Units(total_octets=7)),)), number=2, at=afterwards
    )
    assert answer.cost_micros == 70


def test_a_maximum_cost_of_disconnect_bounds_the_grant_and_not_the_debit() -> None:
    charger = Charger(money(10**6), rater=make_rater(max_cost=("0.03", "*disconnect")))
    assert charger.send(Operation.INITIATE, item(asked=60)).items[0].granted == 30
    answer = charger.send(Operation.TERMINATE, item(used=60), number=1, at=later(60))
    assert answer.cost_micros == 60_000


def test_postpaid_usage_is_authorised_without_limit_and_debits_nothing() -> None:
    charger = Charger(line=make_line(prepaid=False))
    answer = charger.send(Operation.INITIATE, item("data", 5_000 * MIB))
    assert answer.items[0].granted == 5_000 * MIB
    charger.send(Operation.TERMINATE, item("data", None, 5_000 * MIB), number=1)
    assert charger.entries == []
    assert charger.sessions["s", 0].meters[0].position == 5_000 * MIB


def test_input_and_output_octets_count_where_no_total_is_given() -> None:
    charger = Charger(money(10**6))
    charger.send(Operation.INITIATE, item("data", MIB))
    used = (UsedUnits(Units(time_s=9, input_octets=MIB, output_octets=2 * MIB)),)
    assert (
        charger.send(Operation.TERMINATE, RequestItem("data", GERMANY, None, used), number=1).cost_micros
        == 30_000
    )


def test_a_clock_that_is_far_off_is_not_believed() -> None:
    charger = Charger(money(10**6))
    request = OnlineRequest(
        Operation.EVENT, "s", 0, NOON - timedelta(days=4_000), "4915", items=(item("sms", 1),)
    )
    charger.ask(request)
    assert [entry.at for entry in charger.entries] == [NOON]


def test_an_answer_is_the_same_after_it_was_kept_as_text() -> None:
    charger = data_desk(1_000)
    answer = charger.send(Operation.INITIATE, data(500), item("telepathy", 9))
    assert answer.items[0].final is not None
    assert answer_from_text(answer_to_text(answer)) == answer._replace(replayed=True)


def test_a_priced_unit_balance_stops_where_either_money_or_units_end() -> None:
    rater = make_rater(subjects={"cheap": [RateSlot(0, "0", "0.006", 60, 10)]})
    few_units = Charger(
        money(10**6), units(2, "voice", 45, rating_subject="cheap", blocker=True), rater=rater
    )
    assert few_units.send(Operation.INITIATE, item(asked=300)).items[0].granted == 40
    little_money = Charger(
        money(2_500), units(2, "voice", 500, rating_subject="cheap", blocker=True), rater=rater
    )
    assert little_money.send(Operation.INITIATE, item(asked=300)).items[0].granted == 20
