"""Top-ups, suspensions and changes of plan reach the gateways of open sessions, once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from apps.charging.domain.requests import BalanceOrder, ChargingRequest, Operation, RequestItem, Units
from apps.charging.models import ChargingSession, Payer
from apps.charging.services.executor import charge_now
from apps.diameter.models import NewsMark, SessionOrder
from apps.diameter.services.news import OVERLAP, NewsReader
from apps.diameter.services.orders import finish_order, order_abort
from apps.kernel.clock import utc_now
from apps.rating.models import PricePlan
from apps.subscribers.models import Subscriber
from apps.subscribers.services.assignments import assign_plan
from apps.subscribers.services.lifecycle import suspend_subscriber
from tests.charging.stored import make_prepaid, msisdn
from tests.factories import make_plan

pytestmark = pytest.mark.django_db


def open_session(number: int = 1, session_id: str = "pgw.test;1", peer: str = "pgw.test") -> ChargingSession:
    item = RequestItem("data", "", Units(total_octets=1_000), rating_group=10)
    answer = charge_now(
        ChargingRequest(
            Operation.RESERVE, session_id, 0, utc_now(), msisdn=msisdn(number), items=(item,), peer=peer
        ),
        utc_now(),
    )
    assert answer.result == "success"
    return ChargingSession.objects.get(session_id=session_id)


def top_up(subscriber: Subscriber, number: int = 1) -> None:
    account_id = Payer.objects.get(subscriber=subscriber).account_id
    charge_now(
        ChargingRequest(
            Operation.TOP_UP,
            f"top-up;{number}",
            0,
            utc_now(),
            order=BalanceOrder(account_id, 5_000_000, "cash"),
        ),
        utc_now(),
    )


@pytest.fixture
def subscriber() -> Subscriber:
    return make_prepaid()


@pytest.fixture
def reader(subscriber) -> NewsReader:
    """One that has read what there was."""
    found = NewsReader()
    found.read(utc_now())
    return found


def orders() -> list[tuple[str, str]]:
    return list(SessionOrder.objects.order_by("id").values_list("kind", "session_id"))


def test_what_was_there_before_the_first_start_is_no_news(subscriber):
    open_session()
    top_up(subscriber)

    assert NewsReader().read(utc_now()) == 0
    assert NewsMark.objects.count() == 4


def test_a_top_up_re_authorises_the_open_sessions_of_its_account(subscriber, reader):
    make_prepaid(2)
    reader.read(utc_now())
    open_session()
    open_session(2, "pgw.test;2")
    open_session(1, "without-a-gateway", peer="")

    top_up(subscriber)
    reader.read(utc_now())

    assert orders() == [("rar", "pgw.test;1")]


def test_an_adjustment_in_the_customers_favour_re_authorises_and_one_against_them_does_not(
    subscriber, reader
):
    account_id = Payer.objects.get(subscriber=subscriber).account_id
    open_session()
    for number, amount in enumerate((-1_000, 1_000)):
        order = BalanceOrder(account_id, amount, "correction")
        charge_now(
            ChargingRequest(Operation.ADJUST, f"adjustment;{number}", 0, utc_now(), order=order), utc_now()
        )
        reader.read(utc_now())
        assert orders() == [("rar", "pgw.test;1")] * number


def test_news_is_ordered_once_however_often_and_by_whom_it_is_read(subscriber, reader):
    open_session()
    top_up(subscriber)
    now = utc_now()
    for second in range(3):
        reader.read(now + timedelta(seconds=second))
        NewsReader().read(now + timedelta(seconds=second))
    assert len(orders()) == 1

    top_up(subscriber, 2)
    reader.read(now + OVERLAP + timedelta(seconds=5))

    assert len(orders()) == 2


def test_a_suspension_aborts(subscriber, reader):
    open_session()

    suspend_subscriber(subscriber.id, utc_now())
    reader.read(utc_now())

    assert orders() == [("asr", "pgw.test;1")]


def test_a_change_of_plan_re_authorises(subscriber, reader):
    open_session()
    plan = PricePlan.objects.filter(code="OTHER").first() or make_plan("OTHER", data=(1, 0))

    assign_plan(subscriber.id, plan.id, utc_now())
    reader.read(utc_now())

    assert set(orders()) == {("rar", "pgw.test;1")}


def test_a_session_that_its_gateway_does_not_know_is_released(subscriber):
    session = open_session()
    order = order_abort(session, "asked", utc_now())

    finish_order(order.id, 5002, "", utc_now())

    session.refresh_from_db()
    assert session.status == ChargingSession.Status.RELEASED
    assert not session.reservations.exists()
