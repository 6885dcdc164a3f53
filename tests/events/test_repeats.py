"""Events that are delivered again change nothing: every consumer that says so, on what a busy account leads to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps

from apps.actions.services.running import run_group
from apps.charging.models import StoredAnswer
from apps.charging.services import operations
from apps.charging.services.barring import bar_account, lift_bar
from apps.diameter.services.gateway_events import deliver_to_gateways
from apps.events.models import Event
from apps.events.services.consuming import CONSUMERS, deliver, replay
from apps.subscribers.models import Subscriber
from apps.subscribers.services.assignments import assign_plan
from apps.subscribers.services.lifecycle import terminate_subscriber
from tests.actions.makers import make_group
from tests.charging.stored import NOW, account_of, charge_now, make_prepaid
from tests.charging.test_triggers import make_trigger, sms
from tests.diameter.test_gateway_events import open_session
from tests.factories import make_plan

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(days=3)


def rows() -> dict[str, list[Any]]:
    return {
        model._meta.label: list(model._default_manager.order_by("pk").values())
        for model in apps.get_models()
        if model._meta.app_label not in ("sessions", "events") and model._meta.managed
    }


def test_events_that_are_delivered_again_change_nothing() -> None:
    make_prepaid(balance_micros=600_000)
    make_prepaid(2)
    make_group("BONUS", {"kind": "*topup", "units": "1"}, {"kind": "*log", "extra_parameters": "low"})
    make_trigger("min_balance", actions="BONUS", name="low", notify=True)
    make_trigger("below", 560_000, action="reauthorise", name="lower", notify=True)
    open_session()
    charge_now(sms(3))
    operations.top_up(account_of(), 1_000, NOW, key="1")
    run_group(make_group("STOP", {"kind": "*disable_account"}), [account_of().pk], NOW, key="1")
    lift_bar(account_of(), by="mary")
    bar_account(account_of(2), "fraud", NOW, by="mary")
    subscriber = Subscriber.objects.order_by("pk")[0]
    assign_plan(subscriber.pk, make_plan("OTHER", voice=(1, 0)).pk, NOW)
    terminate_subscriber(Subscriber.objects.order_by("pk")[1].pk, NOW)
    deliver(NOW)
    deliver_to_gateways(NOW)
    # So late that the answers of charging are not kept any more.
    StoredAnswer.objects.all().delete()
    before = rows()
    events = list(Event.objects.order_by("number"))
    assert {event.kind for event in events} >= {
        "charging.account_credited",
        "charging.account_barred",
        "charging.trigger_fired",
        "charging.errand_due",
    }
    repeated = 0
    for consumer in CONSUMERS.values():
        kinds = {kind.name for kind in consumer.kinds}
        for event in events:
            if consumer.repeatable and event.kind in kinds:
                replay(event, consumer, LATER)
                repeated += 1
    assert repeated > len(events)
    after = rows()
    assert {name for name in before if before[name] != after[name]} == set()
