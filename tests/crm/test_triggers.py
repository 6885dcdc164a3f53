"""Triggers by the use cases of the CRM: made, changed, reset and deleted, for one tenant."""

from __future__ import annotations

import pytest

from apps.charging.models import BalanceTrigger, TriggerFiring, TriggerState
from apps.crm.domain.asked import FiringsAsked, NewTriggerAsked, TriggerChangeAsked, TriggersAsked
from apps.crm.selectors.triggers import get_trigger, list_firings, list_triggers
from apps.crm.services.triggers import change_trigger, create_trigger, delete_trigger, reset_trigger
from apps.kernel.errors import Conflict, InvalidInputs, NotFound
from tests.charging.stored import make_prepaid
from tests.crm.new_subscribers import NOW, make_products
from tests.factories import make_tenant

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def products() -> None:
    make_products()


def spending(name: str = "fast", **fields: object) -> NewTriggerAsked:
    values = {"kind": "spent", "threshold_micros": 5_000_000, "window_s": 3600, **fields}
    return NewTriggerAsked(name=name, **values)  # type: ignore[arg-type]


def test_a_trigger_is_made_changed_listed_and_deleted():
    account = make_prepaid().payer.account
    made = create_trigger("default", spending(account_id=account.pk))
    assert (made.currency, made.account_number, made.action, made.enabled) == (
        account.currency,
        account.number,
        "notify",
        True,
    )
    changed = change_trigger(
        "default", TriggerChangeAsked(trigger_id=made.id, enabled=False, action="bar", threshold_micros=9)
    )
    assert (changed.enabled, changed.action, changed.threshold_micros, changed.window_s) == (
        False,
        "bar",
        9,
        3600,
    )
    assert get_trigger("default", made.id) == changed
    assert list_triggers("default", TriggersAsked(account_id=account.pk)) == [changed]
    assert list_triggers("default", TriggersAsked(enabled=True)) == []
    delete_trigger("default", made.id)
    assert not BalanceTrigger.objects.exists()


def test_what_is_wrong_with_a_trigger_is_told_by_field():
    with pytest.raises(InvalidInputs) as refused:
        create_trigger("default", spending(window_s=None, threshold_micros=-1, action="shout"))
    assert {problem.where for problem in refused.value.problems} == {"window_s", "threshold_micros", "action"}
    made = create_trigger("default", spending())
    with pytest.raises(InvalidInputs):
        change_trigger("default", TriggerChangeAsked(trigger_id=made.id, threshold_micros=0))
    with pytest.raises(InvalidInputs):
        create_trigger("default", spending())


def test_a_trigger_that_has_fired_is_kept_and_one_of_another_tenant_is_not_there():
    account = make_prepaid().payer.account
    made = create_trigger("default", spending())
    TriggerFiring.objects.create(
        trigger_id=made.id,
        account=account,
        at=NOW,
        kind="spent",
        action="notify",
        threshold_micros=5_000_000,
        value_micros=6_000_000,
        cause="session:1",
    )
    with pytest.raises(Conflict) as refused:
        delete_trigger("default", made.id)
    assert refused.value.code == "has_fired"
    fired = list_firings("default", FiringsAsked(account_id=account.pk))
    assert [(one.trigger, one.text) for one in fired] == [
        ("fast", "spent 6.00 EUR within an hour, more than 5.00 EUR")
    ]
    make_tenant("mvno")
    assert list_firings("mvno", FiringsAsked()) == list_triggers("mvno", TriggersAsked()) == []
    for ask in (
        lambda: delete_trigger("mvno", made.id),
        lambda: reset_trigger("mvno", made.id),
        lambda: change_trigger("mvno", TriggerChangeAsked(trigger_id=made.id, enabled=False)),
        lambda: create_trigger("mvno", spending(account_id=account.pk)),
    ):
        with pytest.raises(NotFound):
            ask()


def test_a_reset_trigger_of_spending_begins_at_zero_for_one_account_or_all():
    first, second = make_prepaid(1).payer.account, make_prepaid(2).payer.account
    made = create_trigger("default", spending())
    for account in (first, second):
        TriggerState.objects.create(trigger_id=made.id, account=account, steps="0:5", rests_until=NOW)
    assert reset_trigger("default", made.id, account_id=first.pk) == 1
    assert TriggerState.objects.get().account == second
    assert reset_trigger("default", made.id) == 1
    assert reset_trigger("default", made.id) == 0


def test_a_counter_of_a_set_is_made_with_the_set_listed_by_it_and_changed():
    made = create_trigger(
        "default",
        NewTriggerAsked(
            name="fair use",
            kind="max_event_counter",
            balance_kind="data",
            threshold_units=5_000_000,
            monthly=True,
            trigger_set="FAIR",
            actions="THROTTLE",
        ),
    )
    assert (made.trigger_set, made.balance_tag, made.currency, made.actions) == ("FAIR", "", "", "THROTTLE")
    changed = change_trigger(
        "default", TriggerChangeAsked(trigger_id=made.id, threshold_units=9, recurrent=True, min_sleep_s=60)
    )
    assert (changed.threshold_units, changed.recurrent, changed.min_sleep_s) == (9, True, 60)
    create_trigger("default", spending())
    assert list_triggers("default", TriggersAsked(trigger_set="FAIR")) == [changed]
    with pytest.raises(InvalidInputs) as refused:
        change_trigger("default", TriggerChangeAsked(trigger_id=made.id, threshold_micros=1))
    assert [problem.where for problem in refused.value.problems] == ["threshold_micros"]
