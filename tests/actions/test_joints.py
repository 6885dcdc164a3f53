"""Where actions meet keys, events, amounts, sessions, triggers and calendars."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.exceptions import ValidationError

from apps.actions.models import RefusedActions
from apps.actions.services.firings import FIRINGS
from apps.actions.services.plans import assign_plan
from apps.actions.services.running import run_group
from apps.charging.models import AccountBar, Balance, StoredAnswer, TriggerFiring
from apps.charging.services.audit import differences
from apps.charging.services.barring import lift_bar
from apps.events.models import Event
from apps.events.services.consuming import replay
from apps.kernel.errors import InvalidInput
from apps.rating.models import TariffPlan
from tests.actions.makers import EURO, NOW, account, make_action_plan, make_group, money
from tests.charging.stored import assert_books_are_right, charge_now, make_prepaid
from tests.charging.test_triggers import make_trigger, sms
from tests.factories import make_tenant

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def audited() -> Iterator[None]:
    yield
    assert_books_are_right()
    assert list(differences()) == []


def test_a_key_names_a_run_of_one_group() -> None:
    make_prepaid(balance_micros=0)
    for group in (make_group("A"), make_group("B")):
        assert run_group(group, [account().pk], NOW, key="2026-05").done == 1
        assert run_group(group, [account().pk], NOW, key="2026-05").repeated == 1
    assert money() == 20 * EURO


def test_a_firing_that_is_delivered_days_later_is_not_carried_out_again() -> None:
    make_prepaid(balance_micros=600_000)
    make_group("BONUS", {"kind": "*topup", "units": "1"}, {"kind": "*disable_account"})
    make_trigger("min_balance", actions="BONUS", name="low")
    charge_now(sms(3))
    lift_bar(account(), by="mary")
    StoredAnswer.objects.all().delete()
    (event,) = Event.objects.filter(kind="charging.trigger_fired")
    replay(event, FIRINGS, NOW)
    assert money() == 1_450_000
    assert not AccountBar.objects.exists()
    assert TriggerFiring.objects.get().acted_at is not None


def test_a_firing_whose_group_comes_later_is_carried_out_once_and_a_refusal_is_kept_once() -> None:
    make_prepaid(balance_micros=600_000)
    make_trigger("min_balance", actions="LATER", name="low")
    make_trigger("min_balance", actions="TOO_MUCH", name="poor")
    make_group("TOO_MUCH", {"kind": "*debit", "units": "100"})
    charge_now(sms(3))
    make_group("LATER")
    for _ in range(2):
        FIRINGS.handle(list(Event.objects.filter(kind="charging.trigger_fired")), NOW)
        StoredAnswer.objects.all().delete()
    assert money() == 10_450_000
    assert RefusedActions.objects.get().reason == "credit_limit_reached"


def test_amounts_stay_within_what_sums_can_hold() -> None:
    make_prepaid(balance_micros=0)
    most = make_group("MOST", {"kind": "*topup", "units": "1000000000000"})
    assert run_group(most, [account().pk], NOW, key="1").done == 1
    assert run_group(most, [account().pk], NOW, key="2").refused == 1
    assert RefusedActions.objects.get().reason == "too_much"
    assert money() == 10**18
    for kind, units in (("*monetary", "1000000000000.000001"), ("*data", str(10**18 + 1))):
        with pytest.raises(ValidationError, match="an action moves up to"):
            make_group(kind, {"kind": "*topup", "balance_type": kind, "units": units})


def test_a_tenants_own_groups_and_plans_are_for_its_accounts() -> None:
    make_prepaid(balance_micros=0)
    group = make_group()
    plan = make_action_plan("P", (group, "*asap"))
    own = TariffPlan.objects.create(code=make_tenant("brand").code)
    for row in (group, plan):
        row.tariff_plan = own
        row.save()
    with pytest.raises(InvalidInput, match="is of tenant default, and this is of tenant brand"):
        run_group(group, [account().pk], NOW, key="1")
    with pytest.raises(InvalidInput, match="is of tenant default, and this is of tenant brand"):
        assign_plan(plan, [account().pk], NOW)
    assert not Balance.objects.exists()


@pytest.mark.parametrize("end", ["+2562048h", "+9999999999h", "+100000000000000000000s"])
def test_an_end_that_no_calendar_has_is_refused(end: str) -> None:
    with pytest.raises(ValidationError, match="is too long"):
        make_group("LONG", {"kind": "*topup", "units": "1", "expiry": end})
