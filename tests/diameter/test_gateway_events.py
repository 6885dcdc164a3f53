"""Top-ups, suspensions and changes of plan reach the gateways of open sessions, once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from apps.charging.domain.balance_actions import Action
from apps.charging.domain.requests import BalanceOrder, OnlineRequest, Operation, RequestItem, Units
from apps.charging.models import Balance, BalanceTrigger, ChargingSession, Payer, SessionOrder, SharedGroup
from apps.charging.services import operations
from apps.charging.services.balance_actions import ActionOrder, carry_out_actions
from apps.charging.services.barring import bar_account
from apps.charging.services.executor import charge_now, forget_directory
from apps.charging.services.session_orders import order_abort
from apps.diameter.services.gateway_events import (
    GATEWAYS,
    deliver_to_gateways,
    order_what_events_ask,
    reauthorise_for_tariff,
)
from apps.diameter.services.orders import finish_order
from apps.events.models import Event
from apps.events.services.consuming import deliver
from apps.kernel.clock import utc_now
from apps.rating.models import PricePlan, PricePlanService, Tenant
from apps.rating.services.publishing import publish
from apps.subscribers.models import Subscriber
from apps.subscribers.services.assignments import assign_plan
from apps.subscribers.services.lifecycle import suspend_subscriber
from tests.charging.stored import account_of, make_prepaid, msisdn
from tests.factories import make_plan

pytestmark = pytest.mark.django_db


def open_session(number: int = 1, session_id: str = "pgw.test;1", peer: str = "pgw.test") -> ChargingSession:
    item = RequestItem("data", "", Units(total_octets=1_000), rating_group=10)
    answer = charge_now(
        OnlineRequest(
            Operation.INITIATE, session_id, 0, utc_now(), msisdn=msisdn(number), items=(item,), peer=peer
        ),
        utc_now(),
    )
    assert answer.result == "success"
    return ChargingSession.objects.get(session_id=session_id)


def top_up(subscriber: Subscriber, number: int = 1) -> None:
    account_id = Payer.objects.get(subscriber=subscriber).account_id
    charge_now(
        OnlineRequest(
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


def orders() -> list[tuple[str, str]]:
    return list(SessionOrder.objects.order_by("id").values_list("kind", "session_id"))


def test_a_top_up_re_authorises_the_open_sessions_of_its_account(subscriber):
    make_prepaid(2)
    open_session()
    open_session(2, "pgw.test;2")
    open_session(1, "without-a-gateway", peer="")

    top_up(subscriber)
    deliver_to_gateways(utc_now())

    assert orders() == [("rar", "pgw.test;1")]


def test_a_top_up_of_a_shared_balance_re_authorises_the_sessions_of_all_that_share_it(subscriber):
    group = SharedGroup.objects.create(tenant=account_of().tenant, code="FAMILY")
    for number in (2, 3, 4):
        make_prepaid(number)
    for number, tag in ((1, "bundle"), (2, "belongs")):
        balance = Balance.objects.create(account=account_of(number), tag=tag, kind="data")
        balance.groups.add(group)
    group.terms.create(account=account_of(3), strategy="*lowest")
    for number in (1, 2, 3, 4):
        open_session(number, f"pgw.test;{number}")

    operations.top_up(account_of(), 1_000, utc_now(), key="own")
    deliver_to_gateways(utc_now())
    assert orders() == [("rar", "pgw.test;1")]
    operations.top_up(account_of(), 1_000, utc_now(), key="shared", tag="bundle", kind="data")
    deliver_to_gateways(utc_now())
    assert orders()[1:] == [("rar", f"pgw.test;{number}") for number in (1, 2, 3)]


def test_an_account_that_an_action_removes_has_its_sessions_ended(subscriber):
    open_session()
    order = ActionOrder(account_of().pk, (Action("*remove_account"),), "key", utc_now())
    for _ in range(2):
        carry_out_actions([order], utc_now())
    deliver_to_gateways(utc_now())
    assert orders() == [("asr", "pgw.test;1")]


def test_an_adjustment_in_the_customers_favour_re_authorises_and_one_against_them_does_not(subscriber):
    account_id = Payer.objects.get(subscriber=subscriber).account_id
    open_session()
    for number, amount in enumerate((-1_000, 1_000)):
        order = BalanceOrder(account_id, amount, "correction")
        charge_now(
            OnlineRequest(Operation.ADJUST, f"adjustment;{number}", 0, utc_now(), order=order), utc_now()
        )
        deliver_to_gateways(utc_now())
        assert orders() == [("rar", "pgw.test;1")] * number


def test_an_event_orders_once_however_often_it_is_handled(subscriber):
    open_session()
    top_up(subscriber)
    for _ in range(3):
        deliver_to_gateways(utc_now())
    order_what_events_ask(list(Event.objects.all()), utc_now())
    assert len(orders()) == 1

    top_up(subscriber, 2)
    deliver_to_gateways(utc_now())

    assert len(orders()) == 2


def test_what_happens_while_no_server_runs_is_ordered_once_one_does(subscriber):
    """Beat leaves it to them: an order that cannot be sent expires."""
    open_session()
    suspend_subscriber(subscriber.id, utc_now())
    deliver(utc_now())
    assert orders() == []

    deliver_to_gateways(utc_now())

    assert orders() == [("asr", "pgw.test;1")]


def test_usage_publishes_no_events(subscriber):
    """The hot path writes nothing for others unless something out of the ordinary happens."""
    before = Event.objects.count()
    open_session()
    assert Event.objects.count() == before


def test_a_suspension_aborts(subscriber):
    open_session()

    suspend_subscriber(subscriber.id, utc_now())
    deliver_to_gateways(utc_now())

    assert orders() == [("asr", "pgw.test;1")]


def test_a_change_of_plan_re_authorises(subscriber):
    open_session()
    plan = PricePlan.objects.filter(code="OTHER").first() or make_plan("OTHER", data=(1, 0))

    assign_plan(subscriber.id, plan.id, utc_now())
    deliver_to_gateways(utc_now())

    assert set(orders()) == {("rar", "pgw.test;1")}


def test_a_session_that_its_gateway_does_not_know_is_released(subscriber):
    session = open_session()
    order = order_abort(session, "asked", utc_now())

    finish_order(order.id, 5002, "", utc_now())

    session.refresh_from_db()
    assert session.status == ChargingSession.Status.RELEASED
    assert not session.reservations.exists()


def test_a_trigger_that_says_so_re_authorises_and_others_do_not(subscriber):
    tenant = Tenant.objects.get(code="default")
    for name, kind, micros, action in (
        ("rich", "above", 3_000_000, "reauthorise"),
        ("richer", "above", 4_000_000, "notify"),
    ):
        BalanceTrigger.objects.create(
            tenant=tenant, name=name, kind=kind, currency="EUR", threshold_micros=micros, action=action
        )
    forget_directory()
    open_session()
    top_up(subscriber)
    deliver_to_gateways(utc_now())

    causes = sorted(SessionOrder.objects.values_list("kind", "cause"))
    assert [(kind, cause.split(":")[0]) for kind, cause in causes] == [
        ("rar", "threshold"),
        ("rar", "top-up"),
    ]


def test_an_account_that_is_barred_loses_its_sessions_and_the_cause_says_why(subscriber):
    open_session()
    bar_account(account_of(), "fraud", utc_now(), by="ada")
    deliver_to_gateways(utc_now())

    (order,) = SessionOrder.objects.all()
    assert order.kind == "asr"
    assert order.cause.startswith("bar-fraud:")


def change_the_price() -> None:
    PricePlanService.objects.filter(service__code="data").update(price_micros=77_000)


def test_a_new_tariff_re_authorises_older_sessions_in_portions(subscriber, settings):
    settings.DIAMETER_TARIFF_REAUTHORISATIONS_PER_S = 2
    for number in range(5):
        open_session(1, f"pgw.test;{number}")
    deliver_to_gateways(utc_now())
    change_the_price()
    now = utc_now()
    publish(now)
    deliver(now, [GATEWAYS])
    assert reauthorise_for_tariff(now) == 0, "not every process has the new tariff yet"
    in_force = now + timedelta(seconds=settings.RATING_TARIFF_REFRESH_S)

    assert [reauthorise_for_tariff(in_force) for _ in range(4)] == [2, 2, 1, 0]
    assert {kind for kind, _ in orders()} == {"rar"}
    assert len({session for _, session in orders()}) == 5


def test_a_new_tariff_may_be_left_to_the_quotas_validity(subscriber, settings):
    settings.DIAMETER_TARIFF_REAUTHORISATIONS_PER_S = 0
    open_session()
    change_the_price()
    publish(utc_now())
    deliver_to_gateways(utc_now() + timedelta(minutes=1))

    assert orders() == []


def test_a_version_that_changes_no_price_re_authorises_no_session(subscriber, settings):
    settings.DIAMETER_TARIFF_REAUTHORISATIONS_PER_S = 10
    open_session()
    now = utc_now()
    publish(now)
    deliver_to_gateways(now + timedelta(minutes=1))
    ordered = orders()
    PricePlan.objects.update(monthly_fee_micros=1)
    assert publish(now).is_new
    deliver_to_gateways(now + timedelta(minutes=1))

    assert orders() == ordered


def test_a_session_of_the_longest_id_is_told_like_any_other(subscriber):
    session = open_session(session_id="s" * 1_000)
    order = order_abort(session, "long", utc_now())
    assert order is not None
    assert SessionOrder.objects.get().session_id == "s" * 1_000
