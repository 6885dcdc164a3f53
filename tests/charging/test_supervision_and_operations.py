"""Silent sessions, expiry of old answers, and the operator's changes of balances."""

from __future__ import annotations

from datetime import timedelta

import pytest

from apps.charging.domain.requests import Operation, Result
from apps.charging.models import Balance, ChargingSession, LedgerEntry, QuotaPolicy, StoredAnswer
from apps.charging.services.executor import forget_directory
from apps.charging.services.operations import adjust, set_terms, top_up, transfer
from apps.charging.services.sessions import end_silent_sessions, forget_old, release_session
from apps.kernel.errors import Conflict, InvalidInput, NotFound
from apps.rating.models import Service
from tests.charging.online import item
from tests.charging.stored import (
    NOW,
    account_of,
    assert_books_are_right,
    charge_now,
    default_balance,
    make_prepaid,
    request,
)

pytestmark = pytest.mark.django_db


def test_silent_sessions_are_ended_and_others_left_alone() -> None:
    make_prepaid()
    charge_now(request(Operation.INITIATE, item(asked=60), session="silent"))
    charge_now(request(Operation.INITIATE, item(asked=60), session="talking"))
    later = NOW + timedelta(seconds=1_199)
    charge_now(request(Operation.UPDATE, item(asked=60, used=60), session="talking", number=1, at=later))
    assert end_silent_sessions(later) == 0
    assert end_silent_sessions(NOW + timedelta(seconds=1_200)) == 1
    statuses = dict(ChargingSession.objects.values_list("session_id", "status"))
    assert statuses == {"silent": "expired", "talking": "open"}
    assert default_balance().reserved_micros == 60_000
    assert end_silent_sessions(NOW + timedelta(seconds=1_200)) == 0
    assert_books_are_right()


def test_a_session_that_went_on_is_ended_when_it_has_been_silent_since() -> None:
    make_prepaid()
    charge_now(request(Operation.INITIATE, item(asked=60)))
    end = NOW + timedelta(seconds=1_200)
    reported = end - timedelta(seconds=1)
    charge_now(request(Operation.UPDATE, item(asked=60, used=60), number=1, at=reported))
    assert [end_silent_sessions(end) for _ in range(2)] == [0, 0]
    new_end = reported + timedelta(seconds=1_200)
    assert end_silent_sessions(new_end - timedelta(seconds=1)) == 0
    assert end_silent_sessions(new_end) == 1
    assert_books_are_right()


def test_a_grant_that_is_valid_for_less_time_ends_its_session_earlier() -> None:
    make_prepaid()
    charge_now(request(Operation.INITIATE, item(asked=60)))
    service = Service.objects.get(code="voice")
    QuotaPolicy.objects.create(service=service, default_units=60, validity_s=30)
    forget_directory()
    charge_now(request(Operation.UPDATE, item(asked=60, used=60), number=1, at=NOW + timedelta(seconds=60)))
    assert end_silent_sessions(NOW + timedelta(seconds=119)) == 0
    assert end_silent_sessions(NOW + timedelta(seconds=120)) == 1


def test_a_report_that_arrives_after_the_end_is_debited_once() -> None:
    make_prepaid()
    charge_now(request(Operation.INITIATE, item(asked=60)))
    end_silent_sessions(NOW + timedelta(hours=1))
    late = request(Operation.TERMINATE, item(used=60), number=1, at=NOW + timedelta(hours=1))
    first, second = charge_now(late), charge_now(late)
    assert (first.result, second) == (Result.UNKNOWN_SESSION, first._replace(replayed=True))
    assert default_balance().amount_micros == 940_000
    assert_books_are_right()


def test_the_operator_ends_a_session() -> None:
    make_prepaid()
    charge_now(request(Operation.INITIATE, item(asked=60)))
    release_session(ChargingSession.objects.get().pk, NOW)
    assert ChargingSession.objects.get().status == "released"
    assert default_balance().reserved_micros == 0
    with pytest.raises(NotFound):
        release_session(1, NOW)


def test_old_answers_and_sessions_are_forgotten_and_open_ones_kept() -> None:
    make_prepaid()
    charge_now(request(Operation.INITIATE, item(asked=60), session="open"))
    charge_now(request(Operation.INITIATE, item(asked=60), session="closed"))
    charge_now(request(Operation.TERMINATE, item(used=6), session="closed", number=1))
    assert forget_old(NOW + timedelta(hours=47)) == (0, 0)
    assert forget_old(NOW + timedelta(hours=49)) == (3, 0)
    assert not StoredAnswer.objects.exists()
    assert forget_old(NOW + timedelta(days=500)) == (0, 1)
    assert [session.session_id for session in ChargingSession.objects.all()] == ["open"]
    assert LedgerEntry.objects.filter(kind="usage").count() == 1


def test_a_top_up_under_one_key_is_made_once() -> None:
    make_prepaid()
    for _ in range(2):
        top_up(account_of(), 500_000, NOW, key="receipt-1", note="Cash charger")
    assert default_balance().amount_micros == 1_500_000
    entry = LedgerEntry.objects.get(kind="top_up", note="Cash charger")
    assert (entry.book.code, entry.amount_micros) == ("cash", 500_000)


def test_an_adjustment_below_zero_is_refused_with_its_reason() -> None:
    make_prepaid()
    with pytest.raises(Conflict, match="which is less"):
        adjust(account_of(), -1_000_001, NOW, key="a")
    adjust(account_of(), -1_000_001, NOW, key="b", may_overdraw=True)
    assert default_balance().amount_micros == -1


def test_a_transfer_needs_two_balances_of_one_kind() -> None:
    make_prepaid(1)
    make_prepaid(2)
    transfer(account_of(1), account_of(2), 250_000, NOW, key="t")
    assert (default_balance(1).amount_micros, default_balance(2).amount_micros) == (750_000, 1_250_000)
    with pytest.raises(InvalidInput):
        transfer(account_of(1), account_of(1), 1, NOW, key="u")


def test_terms_are_checked_before_they_are_set() -> None:
    make_prepaid()
    top_up(account_of(), 100, NOW, key="x", tag="bonus", kind="voice")
    bonus = Balance.objects.get(tag="bonus")
    set_terms(bonus.pk, weight=5, destinations="DE", expires_at=NOW)
    bonus.refresh_from_db()
    assert (bonus.weight, bonus.destinations, bonus.expires_at) == (5, "DE", NOW)
    for wrong in (
        {"timings": "[1]"},
        {"factors": "voice"},
        {"factors": "sms=1/0"},
        {"factors": "sms=-2"},
        {"rating_subject": "*zerox"},
        {"units": 5},
    ):
        with pytest.raises(InvalidInput):
            set_terms(bonus.pk, **wrong)
    with pytest.raises(NotFound):
        set_terms(0, weight=1)
