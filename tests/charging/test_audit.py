"""The audit finds every wrong figure and nothing else."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command

from apps.charging.domain.requests import ChargingAnswer, OnlineRequest, Operation, Result
from apps.charging.management.commands import audit
from apps.charging.models import AllowanceCounter, Balance, ChargingSession, FailedRequest, Reservation
from apps.charging.services import batch
from apps.charging.services.audit import differences, loose_ends
from apps.charging.services.executor import Engine
from apps.charging.services.failures import settle_failures
from apps.charging.services.sessions import forget_old
from tests.charging.online import MIB, item
from tests.charging.stored import NOW, charge_all, charge_now, default_balance, make_prepaid, order, request
from tests.factories import make_plan

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    """The audit is made at the time of the sessions."""
    monkeypatch.setattr(audit, "utc_now", lambda: NOW)


@pytest.fixture
def busy() -> None:
    """Two accounts with free units, balances of units, an open session and a closed one."""
    plan = make_plan("FREE", voice=(60_000, 0), sms=(50_000, 3), data=(10_000, 5))
    make_prepaid(1, plan=plan.code)
    make_prepaid(2, plan=plan.code)
    charge_all(
        [
            request(Operation.TOP_UP, session="x", order=order(100, tag="bonus", kind="voice")),
            request(Operation.INITIATE, item(asked=30), item("data", 9 * MIB), session="open"),
            request(Operation.EVENT, item("sms", 5), session="sms"),
            request(Operation.INITIATE, item("data", 9 * MIB), session="closed", of=2),
            request(Operation.TERMINATE, item("data", None, 8 * MIB), session="closed", number=1, of=2),
        ]
    )


@pytest.mark.usefixtures("busy")
def test_books_that_are_right_are_said_to_be_right(capsys: pytest.CaptureFixture[str]) -> None:
    assert Reservation.objects.count() > 2
    call_command("audit")
    assert "the books are right" in capsys.readouterr().out


def raise_money() -> None:
    balance = default_balance()
    balance.amount_micros += 1
    balance.save()


def raise_units() -> None:
    Balance.objects.filter(tag="bonus").update(units=101)


def lose_a_reservation() -> None:
    Reservation.objects.filter(holder_id=default_balance().pk).delete()


def lose_a_reservation_of_free_units() -> None:
    Reservation.objects.filter(holder_id__lt=0).delete()


def forget_free_units() -> None:
    AllowanceCounter.objects.filter(service__code="sms").update(used_online=2)


def end_a_session_without_giving_back() -> None:
    ChargingSession.objects.filter(session_id="open").update(status="expired")


def hold_free_units_that_are_not_there() -> None:
    session = ChargingSession.objects.get(session_id="open")
    Reservation.objects.create(session=session, meter=9, holder_id=-(1 << 61), amount=1)


@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (raise_money, "account C1, balance *default: amount in micro-units is"),
        (raise_units, "account C1, balance bonus: units is 101, its rows make 100"),
        (lose_a_reservation, "account C1, balance *default: reserved is 40000, its rows make 0"),
        (lose_a_reservation_of_free_units, "free units of plan:"),
        (forget_free_units, "units used online is 2, its rows make 3"),
        (end_a_session_without_giving_back, "reserved is"),
        (hold_free_units_that_are_not_there, "holders is 1, its rows make 0"),
    ],
)
def test_a_wrong_figure_is_found_and_named(spoil, says: str) -> None:  # type: ignore[no-untyped-def]
    spoil()
    with pytest.raises(CommandError) as raised:
        call_command("audit")
    assert says in str(raised.value)
    assert raised.value.returncode == 1
    assert len(list(differences())) >= 1


@pytest.mark.usefixtures("busy")
def test_all_differences_are_told_on_request() -> None:
    raise_money()
    raise_units()
    with pytest.raises(CommandError) as raised:
        call_command("audit", "--all")
    assert str(raised.value).count("its rows make") == 3


@pytest.mark.usefixtures("busy")
def test_a_session_that_ends_leaves_nothing_reserved() -> None:
    charge_now(request(Operation.RELEASE, session="open", number=-1))
    assert not Reservation.objects.exists()
    call_command("audit")


@pytest.mark.usefixtures("busy")
def test_a_session_that_should_have_ended_long_ago_is_a_finding() -> None:
    ends = ChargingSession.objects.get(session_id="open").expires_at
    assert list(loose_ends(ends + timedelta(minutes=59))) == []
    (finding,) = loose_ends(ends + timedelta(minutes=61))
    assert finding == (
        f"session open: it should have ended at {ends:%Y-%m-%d %H:%M:%S} UTC, and holds 3 reservations"
    )


def stumble(monkeypatch: pytest.MonkeyPatch, *, once: bool = False) -> None:
    """Make every charge from now on raise an internal error."""
    real = batch.charge

    def broken(*arguments: object) -> object:
        if once:
            monkeypatch.setattr(batch, "charge", real)
        raise LookupError("a fault of ours")

    monkeypatch.setattr(batch, "charge", broken)


SMS = request(Operation.EVENT, item("sms", 1), peer="gw.example")


def charge_alone(asked: OnlineRequest) -> ChargingAnswer:
    (answer,) = Engine().run([asked], NOW)
    assert isinstance(answer, ChargingAnswer)
    return answer


def test_a_request_that_ended_in_an_error_of_ours_is_a_finding_until_staff_settle_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_prepaid()
    stumble(monkeypatch)
    assert charge_alone(SMS).result is charge_alone(SMS).result is Result.UNABLE_TO_COMPLY
    with pytest.raises(CommandError) as raised:
        call_command("audit")
    assert "request 0 of session s (event, 2026-05-20 12:00:00 UTC): it was not carried out" in str(
        raised.value
    )
    assert "LookupError: a fault of ours" in str(raised.value)
    failed = FailedRequest.objects.get()
    assert (failed.party, failed.peer) == (SMS.msisdn, "gw.example")
    assert settle_failures([failed.pk], NOW) == 1
    call_command("audit")
    charge_alone(SMS)
    assert len(list(loose_ends(NOW))) == 1


def test_a_failed_request_whose_repeat_was_answered_is_no_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    make_prepaid()
    stumble(monkeypatch, once=True)
    assert charge_alone(SMS).result is Result.UNABLE_TO_COMPLY
    assert len(list(loose_ends(NOW))) == 1
    assert charge_alone(SMS).result is Result.SUCCESS
    assert list(loose_ends(NOW)) == []
    forget_old(NOW)
    assert not FailedRequest.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_request_that_the_database_refuses_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    make_prepaid()
    monkeypatch.setattr(batch, "answer_to_text", lambda _: None)
    assert charge_alone(SMS).result is Result.UNABLE_TO_COMPLY
    (finding,) = loose_ends(NOW)
    assert "it was not carried out" in finding
    assert default_balance().amount_micros == 1_000_000
