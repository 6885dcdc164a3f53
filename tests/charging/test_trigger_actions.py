"""What triggers do to the account that made them fire, in the transaction that did."""

from __future__ import annotations

from datetime import timedelta

import pytest

from apps.charging.domain.balance_actions import Action
from apps.charging.domain.requests import Result
from apps.charging.models import AccountBar, Balance, LedgerEntry, StoredAnswer, TriggerFiring, TriggerState
from apps.charging.services import balance_actions, ledger, operations
from apps.charging.services.balance_actions import ActionOrder, add_action_source, carry_out_actions
from apps.charging.services.executor import BatchExecutor
from apps.charging.services.trigger_expiries import watch_expiries
from tests.charging.stored import (
    NOW,
    account_of,
    assert_books_are_right,
    charge_all,
    charge_now,
    default_balance,
    make_prepaid,
    submit,
)
from tests.charging.test_trigger_counters import load
from tests.charging.test_triggers import fired, make_trigger, sms

pytestmark = pytest.mark.django_db

GROUPS = {
    "BONUS": (Action("*topup", amount=1_000_000),),
    "MINUTES": (Action("*topup", balance_kind="voice", amount=60, tag="minutes", expiry="+24h"),),
    "STOP": (
        Action("*disable_account", parameters="fraud suspected"),
        Action("*call_url", parameters="https://x"),
    ),
    "TOO_MUCH": (Action("*debit", amount=10**12),),
    "RESET": (Action("*reset_counters"), Action("*reset_triggers")),
    "BROKEN": (Action("*no_such_action"),),
}


@pytest.fixture(autouse=True)
def groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(balance_actions, "_sources", [])
    add_action_source(lambda tenant, code: GROUPS.get(code) if tenant == "default" else None)


def test_actions_of_a_trigger_are_carried_out_with_the_request_that_made_it_fire() -> None:
    make_prepaid(balance_micros=600_000)
    make_trigger("min_balance", actions="BONUS", name="low")
    answers = charge_all([sms(3), sms(1, number=1)])

    assert [answer.result for answer in answers] == [Result.SUCCESS] * 2
    assert default_balance().amount_micros == 1_400_000
    (firing,) = TriggerFiring.objects.all()
    assert firing.actions == "BONUS"
    entry = LedgerEntry.objects.get(kind="top_up", amount_micros=1_000_000)
    assert entry.cause == f"action:firing:{firing.pk}:0:0"
    # A room above that gets the firing as an event changes nothing more.
    order = ActionOrder(account_of().pk, GROUPS["BONUS"], f"firing:{firing.pk}", NOW)
    assert carry_out_actions([order], NOW)[0].replayed
    assert default_balance().amount_micros == 1_400_000
    assert_books_are_right()


def test_new_units_and_bars_come_with_what_did_it_also_from_files_fees_and_expiry() -> None:
    make_prepaid(balance_micros=600_000)
    make_trigger("max_balance_counter", 100_000, actions="MINUTES", name="promotion")
    make_trigger("below", 0, actions="STOP", name="debt")
    load(("sms", 2))
    assert Balance.objects.get(tag="minutes").units == 60
    make_trigger(
        "balance_expired", 0, actions="BONUS", name="gone", balance_kind="voice", balance_tag="minutes"
    )
    watch_expiries(NOW)
    assert watch_expiries(NOW + timedelta(days=2)) == 1
    assert default_balance().amount_micros == 1_500_000
    ledger.post(account_of(), -1_500_001, kind="fee", book="fees", cause="fee:1", at=NOW)

    assert [name for name, _, _ in fired()] == ["promotion", "gone", "debt"]
    assert AccountBar.objects.get().note == "fraud suspected"
    assert charge_now(sms(number=5)).result is Result.BARRED
    assert_books_are_right()


def test_usage_is_charged_though_the_actions_are_refused_unknown_or_broken() -> None:
    make_prepaid(balance_micros=600_000)
    for group in ("TOO_MUCH", "UNKNOWN", "BROKEN"):
        make_trigger("below", 580_000, actions=group, name=group)
    assert charge_now(sms()).result is Result.SUCCESS

    assert default_balance().amount_micros == 550_000
    assert len(fired()) == 3
    assert_books_are_right()


def test_a_trigger_rests_while_its_own_actions_are_carried_out_and_others_see_them() -> None:
    make_prepaid(balance_micros=600_000)
    make_trigger("max_balance", 1, actions="BONUS", name="greedy", recurrent=True)
    make_trigger("above", 1_000_000, actions="MINUTES", name="rich")
    charge_now(sms())

    assert [name for name, _, _ in fired()] == ["greedy", "rich"]
    assert default_balance().amount_micros == 1_550_000
    assert Balance.objects.get(tag="minutes").units == 60
    assert_books_are_right()


def test_a_group_that_resets_its_own_trigger_lets_it_fire_again_after_as_much() -> None:
    make_prepaid(balance_micros=10_000_000)
    make_trigger("max_balance_counter", 100_000, actions="RESET", name="each")
    for number in range(5):
        charge_now(sms(number=number))

    assert [value for _, _, value in fired()] == [100_000, 100_000]
    assert TriggerState.objects.get().counted == 50_000


def test_set_recurrent_lets_the_triggers_of_the_account_fire_each_time() -> None:
    make_prepaid(balance_micros=10_000_000)
    account = account_of()
    make_trigger("max_balance_counter", 50_000, name="mine", account=account)
    make_trigger("max_balance_counter", 50_000, name="all")
    for number, kind in enumerate(("*set_recurrent", "*unset_recurrent")):
        carry_out_actions([ActionOrder(account.pk, (Action(kind),), kind, NOW)], NOW)
        charge_now(sms(number=2 * number))
        charge_now(sms(number=2 * number + 1))

    assert sorted(name for name, _, _ in fired()) == ["all", "mine", "mine", "mine"]


@pytest.mark.django_db(transaction=True)
def test_actions_are_committed_by_a_charging_thread_with_what_it_charged() -> None:
    make_prepaid(balance_micros=600_000)
    make_trigger("min_balance", actions="BONUS", name="low")
    make_trigger("max_balance_counter", 200_000, actions="STOP", name="fraud")
    with BatchExecutor(clock=lambda: NOW) as executor:
        answers = [submit(executor, sms(number=number)).result() for number in range(6)]

    assert [answer.result for answer in answers] == [Result.SUCCESS] * 4 + [Result.BARRED] * 2
    assert default_balance().amount_micros == 1_400_000
    assert StoredAnswer.objects.count() >= 2
    operations.top_up(account_of(), 1, NOW, key="1")
    assert_books_are_right()
