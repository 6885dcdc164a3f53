"""Sessions belong to who opened them; requests name one subscriber; what peers move by amount is bounded."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings

from apps.charging.domain.money_bounds import PEER_LIMIT, REFUND_EXCEEDS_DEBITS
from apps.charging.domain.requests import SERVER_DECIDES, MoneyLimit, Operation, RequestItem, Result
from apps.charging.models import (
    Account,
    Balance,
    ChargingSession,
    LedgerEntry,
    PeerDay,
    SharedGroup,
    SharedGroupTerms,
)
from apps.charging.services.executor import forget_directory
from apps.charging.services.operations import top_up
from apps.charging.services.sessions import release_session
from tests.charging.online import MIB, item
from tests.charging.stored import (
    NOW,
    account_of,
    assert_books_are_right,
    charge_all,
    charge_now,
    default_balance,
    make_prepaid,
    msisdn,
    request,
)

pytestmark = pytest.mark.django_db


def data(operation, number, asked=None, used=None, owner="pgw1.test"):
    return request(operation, item("data", asked, used), number=number, owner=owner)


def test_no_other_peer_updates_or_ends_a_session():
    make_prepaid()
    charge_now(data(Operation.INITIATE, 0, 10 * MIB))
    for number, operation in enumerate((Operation.UPDATE, Operation.TERMINATE), 1):
        refused = charge_now(data(operation, number, MIB, MIB, owner="pgw2.test"))
        assert (refused.result, refused.reason) == (Result.UNKNOWN_SESSION, "not_its_session")
    session = ChargingSession.objects.get()
    assert (session.status, session.owner, session.cost_micros) == ("open", "pgw1.test", 0)
    assert default_balance().reserved_micros == 100_000

    # Its own requests of the same numbers are charged, and are no repeats of the others.
    assert charge_now(data(Operation.UPDATE, 1, MIB, 2 * MIB)).cost_micros == 20_000
    assert charge_now(data(Operation.TERMINATE, 2, None, MIB)).cost_micros == 10_000
    assert ChargingSession.objects.get().owner == "pgw1.test"
    assert_books_are_right()


def test_no_other_peer_gets_the_answers_of_a_session():
    make_prepaid()
    first = charge_now(data(Operation.INITIATE, 0, MIB))
    assert charge_now(data(Operation.INITIATE, 0, MIB)._replace(repeated=True)) == first._replace(
        replayed=True
    )
    other = charge_now(data(Operation.INITIATE, 0, MIB, owner="pgw2.test")._replace(repeated=True))
    assert (other.result, other.reason) == (Result.UNABLE_TO_COMPLY, "session_exists")


def test_within_one_batch_a_foreign_request_changes_nothing_either():
    make_prepaid()
    answers = charge_all(
        [
            data(Operation.INITIATE, 0, MIB),
            data(Operation.TERMINATE, 1, None, MIB, owner="pgw2.test"),
            data(Operation.TERMINATE, 1, None, 3 * MIB),
        ]
    )
    assert [answer.result for answer in answers] == [
        Result.SUCCESS,
        Result.UNKNOWN_SESSION,
        Result.SUCCESS,
    ]
    assert default_balance().amount_micros == 970_000


def test_all_peers_of_an_owning_realm_and_the_house_itself_go_on_with_a_session():
    make_prepaid()
    charge_now(data(Operation.INITIATE, 0, MIB, owner="@core.test")._replace(peer="a.test"))
    charge_now(data(Operation.UPDATE, 1, MIB, MIB, owner="@core.test")._replace(peer="b.test"))
    session = ChargingSession.objects.get()
    assert (session.peer, session.cost_micros) == ("b.test", 10_000)
    assert release_session(session.pk, NOW).result is Result.SUCCESS
    assert ChargingSession.objects.get().status == "released"


def test_numbers_of_two_subscribers_in_one_request_are_refused_and_said_in_the_log(caplog):
    first, second = make_prepaid(1, imsi="262010000000001"), make_prepaid(2, imsi="262010000000002")
    wrong = request(Operation.EVENT, item("sms", 1))._replace(imsi="262010000000002")
    answer = charge_now(wrong)
    assert (answer.result, answer.reason) == (Result.UNKNOWN_USER, "contradictory_subscriber")
    assert f"names subscribers {first.pk} and {second.pk}" in caplog.text
    twice = request(Operation.EVENT, item("sms", 1), session="t")._replace(further_msisdns=(msisdn(2),))
    assert charge_now(twice).reason == "contradictory_subscriber"
    assert [default_balance(number).amount_micros for number in (1, 2)] == [1_000_000] * 2


def test_an_unknown_session_is_reported_so_with_any_numbers():
    make_prepaid(1, imsi="262010000000001")
    make_prepaid(2, imsi="262010000000002")
    update = request(Operation.UPDATE, item("data", 1), number=1)._replace(imsi="262010000000002")
    assert charge_now(update).result is Result.UNKNOWN_SESSION


def test_numbers_of_one_subscriber_or_unassigned_ones_are_no_contradiction():
    make_prepaid(1, imsi="262010000000001")
    asked = request(Operation.EVENT, item("sms", 1))._replace(
        imsi="262010000000001", further_msisdns=("4999", msisdn(1))
    )
    assert charge_now(asked).result is Result.SUCCESS


LIMIT = MoneyLimit("pgw1.test", 10_000_000)


def by_amount(operation, micros, session, at=NOW, of=1, limit=LIMIT):
    amount = RequestItem("data", money_micros=micros)
    return request(operation, amount, session=session, at=at, of=of, money_limit=limit)


def test_a_refund_gives_back_no_more_than_was_debited_in_its_window():
    make_prepaid(balance_micros=5_000_000)
    old = NOW - timedelta(days=settings.CHARGING_REFUND_WINDOW_D + 1)
    charge_now(by_amount(Operation.EVENT, 500_000, "long ago", at=old))
    charge_now(by_amount(Operation.EVENT, 2_000_000, "game"))
    refused = charge_now(by_amount(Operation.REFUND, 1_000_000_000_000, "r1"))
    assert (refused.result, refused.reason) == (Result.UNABLE_TO_COMPLY, REFUND_EXCEEDS_DEBITS)
    assert charge_now(by_amount(Operation.REFUND, 1_500_000, "r2")).cost_micros == -1_500_000
    assert charge_now(by_amount(Operation.REFUND, 500_001, "r3")).reason == REFUND_EXCEEDS_DEBITS
    assert charge_now(by_amount(Operation.REFUND, 500_000, "r4")).result is Result.SUCCESS
    assert default_balance().amount_micros == 4_500_000
    day = PeerDay.objects.get(day=NOW.date())
    assert (day.peer, day.currency, day.debited_micros, day.refunded_micros) == (
        "pgw1.test",
        "EUR",
        2_000_000,
        2_000_000,
    )
    assert (day.refusals, day.refused_micros) == (2, 1_000_000_500_001)
    assert day.last_refusal == "refund_exceeds_debits: account C1, r3"
    assert_books_are_right()


def test_refunds_of_one_batch_share_the_debits():
    make_prepaid()
    charge_now(request(Operation.EVENT, item("sms", 2), session="sms"))
    refunds = [by_amount(Operation.REFUND, 60_000, f"r{number}") for number in range(3)]
    assert [answer.reason for answer in charge_all(refunds)] == [
        "",
        REFUND_EXCEEDS_DEBITS,
        REFUND_EXCEEDS_DEBITS,
    ]


def test_a_refund_of_what_others_of_the_group_paid_or_of_units_needs_no_debit_of_own_money():
    for number in (1, 2):
        make_prepaid(number, balance_micros=500_000 if number == 1 else 0)
    top_up(account_of(2), 1, NOW, key="x", tag="messages", kind="sms")
    group = SharedGroup.objects.create(tenant=account_of().tenant, code="FAMILY")
    default_balance(1).groups.add(group)
    SharedGroupTerms.objects.create(group=group, account=account_of(2))
    forget_directory()
    charge_now(request(Operation.EVENT, item("sms", 3), session="e", of=2))
    assert default_balance(1).amount_micros == 400_000
    back = [
        charge_now(request(Operation.REFUND, item("sms", 1), session=f"r{n}", of=2, money_limit=LIMIT))
        for n in range(4)
    ]
    assert [answer.cost_micros for answer in back] == [-50_000, -50_000, 0, 0]
    assert back[3].reason == REFUND_EXCEEDS_DEBITS
    assert default_balance(1).amount_micros == 500_000
    assert Balance.objects.get(tag="messages").units == 1


def test_a_refund_of_units_is_bounded_alike():
    make_prepaid()
    sms = request(Operation.REFUND, item("sms", 3), session="r", money_limit=LIMIT)
    assert charge_now(sms).reason == REFUND_EXCEEDS_DEBITS


def test_a_peer_moves_no_more_than_its_limit_a_day_in_each_currency():
    make_prepaid(1, balance_micros=50_000_000)
    make_prepaid(2, balance_micros=50_000_000)
    assert charge_now(by_amount(Operation.EVENT, 6_000_000, "a")).result is Result.SUCCESS
    assert charge_now(by_amount(Operation.REFUND, 3_000_000, "b")).result is Result.SUCCESS
    refused = charge_now(by_amount(Operation.EVENT, 2_000_000, "c", of=2))
    assert (refused.result, refused.reason) == (Result.UNABLE_TO_COMPLY, PEER_LIMIT)
    assert charge_now(by_amount(Operation.EVENT, 1_000_000, "d", of=2)).result is Result.SUCCESS
    assert charge_now(by_amount(Operation.REFUND, 1, "e")).reason == PEER_LIMIT
    other = by_amount(Operation.EVENT, 2_000_000, "f", limit=LIMIT._replace(peer="pgw2.test"))
    assert charge_now(other).result is Result.SUCCESS
    tomorrow = by_amount(Operation.EVENT, 2_000_000, "g", at=NOW + timedelta(days=1))
    assert charge_now(tomorrow).result is Result.SUCCESS


def test_a_repeat_counts_once_and_unpaid_usage_counts_nothing():
    make_prepaid(balance_micros=3_000_000)
    for _ in range(2):
        charge_now(by_amount(Operation.EVENT, 2_000_000, "a")._replace(repeated=True))
    assert charge_now(by_amount(Operation.EVENT, 2_000_000, "b")).result is Result.CREDIT_LIMIT_REACHED
    assert PeerDay.objects.get().debited_micros == 2_000_000


@pytest.mark.parametrize("mode", ["prepaid", "postpaid"])
def test_a_session_in_money_is_granted_and_debited_no_more_than_its_peers_limit_at_once(mode):
    make_prepaid(balance_micros=50_000_000)
    Account.objects.update(mode=mode)

    def in_money(operation, number, asked, used=None):
        amounts = RequestItem("data", "", SERVER_DECIDES, (), 7, None, asked, "EUR", used)
        return request(operation, amounts, number=number, money_limit=LIMIT)

    assert charge_now(in_money(Operation.INITIATE, 0, 1 << 61)).items[0].granted == 10_000_000
    refused = charge_now(in_money(Operation.UPDATE, 1, 0, 1 << 60))
    assert (refused.result, refused.reason) == (Result.UNABLE_TO_COMPLY, PEER_LIMIT)
    assert charge_now(in_money(Operation.UPDATE, 2, 0, 10_000_000)).cost_micros == 10_000_000
    assert default_balance().amount_micros == 40_000_000
    assert ChargingSession.objects.get().unpaid_micros == 1 << 60
    assert not PeerDay.objects.exists()


def test_the_operators_own_requests_have_no_bound():
    make_prepaid()
    assert charge_now(by_amount(Operation.REFUND, 9_000_000_000, "r", limit=None)).result is Result.SUCCESS
    assert not PeerDay.objects.exists()
    assert LedgerEntry.objects.filter(kind="refund").count() == 1
