"""Amounts and units as odd clients send them: nothing, as much as possible, absurdly much, and of another kind."""

from __future__ import annotations

import pytest

from apps.charging.domain import quotas
from apps.charging.domain.requests import (
    FinalUnit,
    FinalUnitAction,
    Operation,
    RequestItem,
    Result,
    Units,
    UsedUnits,
)
from apps.charging.domain.state import QuotaPolicy
from tests.charging.online import MIB, NOON, Charger, item, make_line, money

GIB = 1024 * MIB
REDIRECT = FinalUnit(FinalUnitAction.REDIRECT, "https://top.up/")
RESTRICT = FinalUnit(FinalUnitAction.RESTRICT, filters=("permit in ip from any to 10.0.0.1",))


@pytest.mark.parametrize(
    ("service", "asked", "granted"),
    [
        ("voice", Units(time_s=2**32 - 1), 86_400),
        ("data", Units(total_octets=2**63), 10 * GIB),
        ("data", Units(total_octets=2**64 - 1), 10 * GIB),
        ("sms", Units(service_specific=2**63), 1_000),
    ],
)
@pytest.mark.parametrize("terms", [{"allow_negative": True}, {"line": make_line(prepaid=False)}, {}])
def test_as_much_as_possible_is_a_grant_with_a_bound(service, asked, granted, terms):
    charger = Charger(money(10**12), **terms)
    answer = charger.send(Operation.INITIATE, RequestItem(service, "49", asked))

    assert (answer.items[0].granted, answer.items[0].final) == (granted, None)


def test_a_policy_may_have_a_larger_or_smaller_bound():
    policies = {
        ("data", 0): QuotaPolicy(MIB, max_units=50 * GIB),
        ("voice", 0): QuotaPolicy(60, max_units=120),
    }
    charger = Charger(money(10**12), policies=policies)
    answer = charger.send(Operation.INITIATE, item("data", 2**63), item("voice", 2**32 - 1))

    assert [got.granted for got in answer.items] == [50 * GIB, 120]


@pytest.mark.parametrize("asked", [Units(total_octets=0), Units(time_s=0), Units(time_s=60)])
def test_nothing_asked_in_the_units_of_the_service_leaves_the_amount_to_the_server(asked):
    charger = Charger(money(10**6))
    answer = charger.send(Operation.INITIATE, RequestItem("data", "", asked))

    assert answer.items[0].granted == 10 * MIB


@pytest.mark.parametrize(
    ("used", "octets"),
    [
        (Units(total_octets=0, input_octets=3 * MIB, output_octets=2 * MIB), 5 * MIB),
        (Units(total_octets=9 * MIB, input_octets=3 * MIB), 9 * MIB),
        (Units(total_octets=4 * MIB), 4 * MIB),
        (Units(output_octets=2 * MIB), 2 * MIB),
        (Units(time_s=60), 0),
    ],
)
def test_the_larger_of_the_total_and_both_ways_together_is_charged(used, octets):
    charger = Charger(money(10**6))
    charger.send(Operation.INITIATE, item("data", 10 * MIB))
    answer = charger.send(Operation.TERMINATE, RequestItem("data", used=(UsedUnits(used),)), number=1)

    assert (answer.result, answer.cost_micros) == (Result.SUCCESS, octets // MIB * 10_000)


@pytest.mark.parametrize(
    ("service", "used", "reason"),
    [
        ("data", Units(total_octets=2**64 - 1), "absurd_amount"),
        ("data", Units(service_specific=7), "unit_differs"),
        ("voice", Units(time_s=2**32 - 1), "absurd_amount"),
        ("voice", Units(total_octets=5), "unit_differs"),
        ("sms", Units(total_octets=5), "unit_differs"),
    ],
)
@pytest.mark.parametrize("line", [make_line(), make_line(prepaid=False)])
def test_a_report_that_cannot_be_is_an_invalid_value_and_leaves_its_mark(service, used, reason, line):
    charger = Charger(money(10**6), line=line)
    charger.send(Operation.INITIATE, item(service, 1))
    answer = charger.send(Operation.UPDATE, RequestItem(service, "49", used=(UsedUnits(used),)), number=1)

    assert (answer.result, answer.items[0].reason) == (Result.INVALID_VALUE, reason)
    assert (charger.value(), charger.reserved(), charger.entries) == (10**6, 0, [])
    if reason == "absurd_amount":
        assert charger.sessions["s", 0].meters[0].unrated_units > 0


def test_reports_that_together_are_more_than_a_session_can_use_are_refused():
    charger = Charger(money(10**6))
    charger.send(Operation.INITIATE, item("voice", 60))
    charger.send(Operation.UPDATE, item("voice", None, 200 * 86_400), number=1)
    assert (
        charger.send(Operation.UPDATE, item("voice", None, 200 * 86_400), number=2).result
        is Result.INVALID_VALUE
    )


@pytest.mark.parametrize("operation", [Operation.EVENT, Operation.REFUND, Operation.PRICE_ENQUIRY])
@pytest.mark.parametrize(
    ("service", "asked", "reason"),
    [
        ("data", Units(service_specific=1), "unit_differs"),
        ("sms", Units(time_s=60), "unit_differs"),
        ("sms", Units(service_specific=0), "zero_units"),
        ("sms", Units(service_specific=2**64 - 1), "absurd_amount"),
    ],
)
def test_an_event_in_units_that_its_service_is_not_charged_by_debits_nothing(
    operation, service, asked, reason
):
    charger = Charger(money(10**6))
    answer = charger.send(operation, RequestItem(service, "49", asked))

    assert (answer.result, answer.items[0].reason) == (Result.INVALID_VALUE, reason)
    assert (charger.value(), charger.entries) == (10**6, [])


@pytest.mark.parametrize("operation", [Operation.EVENT, Operation.REFUND])
def test_an_event_of_octets_or_seconds_says_how_many(operation):
    charger = Charger(money(10**6))
    for service in ("data", "voice"):
        assert charger.send(operation, RequestItem(service, "49", Units())).items[0].reason == "no_units"
    assert charger.send(Operation.CHECK_BALANCE, RequestItem("data", "", Units())).enough
    assert charger.value() == 10**6


def test_a_rating_group_that_asks_twice_at_once_is_granted_once():
    charger = Charger(money(10_000))
    answer = charger.send(
        Operation.INITIATE, item("data", MIB, rating_group=1), item("data", MIB, rating_group=1)
    )

    assert [got.granted for got in answer.items] == [None, MIB]
    assert charger.reserved() == 10_000


def test_a_session_has_quotas_up_to_a_bound(monkeypatch):
    monkeypatch.setattr(quotas, "MAX_QUOTAS", 3)
    charger = Charger(money(10**6))
    groups = [item("data", MIB, rating_group=number) for number in range(5)]
    answer = charger.send(Operation.INITIATE, *groups)

    assert [got.granted for got in answer.items] == [MIB, MIB, MIB, 0, 0]
    assert (answer.items[3].result, answer.items[3].reason) == (Result.UNABLE_TO_COMPLY, "too_many_quotas")
    known = charger.send(Operation.UPDATE, item("data", MIB, MIB, rating_group=2), number=1)
    assert (known.items[0].granted, len(charger.sessions["s", 0].meters)) == (MIB, 3)


def test_an_event_that_only_reports_is_charged_for_what_it_reports():
    charger = Charger(money(10**6))
    sms = RequestItem("sms", "49", Units(), (UsedUnits(Units(service_specific=3)),))

    assert charger.send(Operation.EVENT, sms).cost_micros == 150_000


@pytest.mark.parametrize("final", [REDIRECT, RESTRICT])
def test_a_session_that_is_redirected_or_restricted_at_once_is_open_and_gets_units_after_a_top_up(final):
    charger = Charger(money(0), policies={("data", 0): QuotaPolicy(MIB, validity_s=60, final=final)})
    answer = charger.send(Operation.INITIATE, item("data", MIB))
    assert (answer.result, answer.items[0].granted, answer.items[0].final) == (Result.SUCCESS, 0, final)
    assert (charger.sessions["s", 0].status, answer.validity_s) == ("open", 60)

    assert charger.send(Operation.UPDATE, item("data", MIB, 0), number=1).items[0].final == final
    charger.balances[1] = money(10_000)
    answer = charger.send(Operation.UPDATE, item("data", MIB, 0), number=2)
    assert (answer.items[0].granted, answer.items[0].final) == (MIB, None)


def test_money_asked_for_and_not_there_is_redirected_alike():
    charger = Charger(money(0), policies={("voice", 1): QuotaPolicy(1, final=REDIRECT)})
    asked = RequestItem("voice", requested=Units(), money_micros=5)

    assert charger.send(Operation.INITIATE, asked).items[0].final == REDIRECT
    assert charger.sessions["s", 0].opened_at == NOON


def test_a_service_that_ends_without_credit_is_refused():
    charger = Charger(money(0))
    assert charger.send(Operation.INITIATE, item("data", MIB)).result is Result.CREDIT_LIMIT_REACHED
    assert charger.sessions == {}


def test_an_event_that_is_not_paid_says_so_without_a_final_action():
    charger = Charger(money(0), policies={("sms", 0): QuotaPolicy(1, final=REDIRECT)})
    answer = charger.send(Operation.EVENT, item("sms", 1))

    assert (answer.result, answer.items[0].final) == (Result.CREDIT_LIMIT_REACHED, None)
