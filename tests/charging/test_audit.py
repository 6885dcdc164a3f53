"""The audit finds every wrong figure and nothing else."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command

from apps.charging.domain.requests import Operation
from apps.charging.models import AllowanceCounter, Balance, ChargingSession, Reservation
from apps.charging.services.audit import differences
from tests.charging.online import MIB, item
from tests.charging.stored import charge_all, charge_now, default_balance, make_prepaid, order, request
from tests.factories import make_plan

pytestmark = pytest.mark.django_db


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
    assert str(raised.value).count("its rows make") == 2


@pytest.mark.usefixtures("busy")
def test_a_session_that_ends_leaves_nothing_reserved() -> None:
    charge_now(request(Operation.RELEASE, session="open", number=-1))
    assert not Reservation.objects.exists()
    call_command("audit")
