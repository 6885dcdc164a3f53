"""Account triggers on the database: what requests and other movements set off, and accounts that are barred."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from apps.charging.domain.requests import Operation, RequestItem, Result, Units, UsedUnits
from apps.charging.models import AccountBar, BalanceTrigger, TriggerFiring, TriggerState
from apps.charging.services import ledger, operations
from apps.charging.services.audit import differences
from apps.charging.services.barring import bar_account, lift_bar
from apps.charging.services.executor import BatchExecutor, Engine, forget_directory
from apps.charging.services.lines import Directory
from apps.kernel.errors import Conflict, InvalidInput
from apps.rating.models import Tenant
from tests.charging.stored import (
    NOW,
    account_of,
    assert_books_are_right,
    charge_all,
    charge_now,
    default_balance,
    make_prepaid,
    request,
    submit,
)

pytestmark = pytest.mark.django_db


def make_trigger(kind: str = "below", threshold_micros: int = 500_000, **terms: object) -> BalanceTrigger:
    fields = {"name": f"{kind} {threshold_micros}", "currency": "EUR", **terms}
    if "tenant" not in fields:
        fields["tenant"] = Tenant.objects.get(code="default")
    trigger = BalanceTrigger(kind=kind, threshold_micros=threshold_micros, **fields)  # type: ignore[misc]
    trigger.full_clean()
    trigger.save()
    forget_directory()
    return trigger


def sms(messages: int = 1, number: int = 0, **more: object):
    """Messages at 0.05 each, at once."""
    item = RequestItem("sms", "4917", Units(service_specific=messages))
    return request(Operation.EVENT, item, session=f"sms;{number};{more}", number=number, **more)


def fired() -> list[tuple[str, int, int]]:
    return list(
        TriggerFiring.objects.order_by("pk").values_list("trigger__name", "account_id", "value_micros")
    )


def test_a_balance_that_falls_below_fires_once_until_it_has_been_back():
    make_prepaid(balance_micros=600_000)
    make_trigger(name="low")
    account = account_of()
    for number in range(4):
        assert charge_now(sms(number=number)).result is Result.SUCCESS
    assert fired() == [("low", account.pk, 450_000)]

    operations.top_up(account, 100_000, NOW, key="1")
    charge_now(sms(number=9))

    assert fired() == [("low", account.pk, 450_000), ("low", account.pk, 450_000)]
    firing = TriggerFiring.objects.first()
    assert (firing.at, firing.kind, firing.action, firing.threshold_micros) == (
        NOW,
        "below",
        "notify",
        500_000,
    )
    assert ledger.LedgerEntry.objects.get(cause=firing.cause).amount_micros == -50_000
    assert_books_are_right()


def test_the_audit_finds_a_firing_that_nothing_caused():
    make_prepaid(balance_micros=600_000)
    make_trigger(name="low")
    charge_now(sms(3))
    assert list(differences()) == []
    TriggerFiring.objects.update(cause="nothing")

    (found,) = differences()
    assert str(found).endswith(
        "of trigger low on account C1: movements of the account that did it is 1, its rows make 0"
    )


def test_a_dip_within_one_batch_is_seen():
    make_prepaid(balance_micros=600_000)
    make_trigger()
    top_up = request(Operation.TOP_UP, session="back")._replace(
        order=operations.BalanceOrder(account_of().pk, 300_000, "cash")
    )
    charge_all([sms(3), top_up])

    assert default_balance().amount_micros == 750_000
    assert [value for _, _, value in fired()] == [450_000]


def test_fees_and_payments_beside_the_executor_are_seen_as_well():
    make_prepaid(balance_micros=600_000)
    make_trigger("below", name="low")
    make_trigger("above", name="high")
    account = account_of()
    ledger.post(account, -200_000, kind="fee", book="fees", cause="fee:1", at=NOW)
    ledger.post(account, 300_000, kind="top_up", book="cash", cause="charger:1", at=NOW + timedelta(hours=1))

    assert [name for name, _, _ in fired()] == ["low", "high"]
    assert TriggerFiring.objects.first().cause == "charger:1"


def test_a_refused_movement_fires_nothing():
    make_prepaid(balance_micros=600_000)
    make_trigger("above")
    ledger.post(account_of(), -300_000, kind="fee", book="fees", cause="fee:1", at=NOW)
    with pytest.raises(Conflict):
        ledger.post(account_of(), 300_000, kind="fee", book="fees", cause="fee:1", at=NOW)

    assert fired() == []


def test_a_trigger_is_for_its_tenant_currency_plan_or_account_and_only_while_switched_on():
    make_prepaid(1, balance_micros=520_000)
    make_prepaid(2, balance_micros=520_000, plan="OTHER")
    elsewhere = Tenant.objects.create(code="elsewhere")
    make_trigger(name="dollars", currency="USD")
    make_trigger(name="elsewhere", tenant=elsewhere)
    make_trigger(name="off", enabled=False)
    make_trigger(name="mine", account=account_of(1))
    from apps.rating.models import PricePlan

    make_trigger(name="plan", price_plan=PricePlan.objects.get(code="OTHER"))
    charge_all([sms(of=1), sms(of=2)])

    assert fired() == [("mine", account_of(1).pk, 470_000), ("plan", account_of(2).pk, 470_000)]


def test_another_balance_can_be_watched():
    make_prepaid(balance_micros=0)
    make_trigger(balance_tag="promotion", name="promotion")
    operations.top_up(account_of(), 520_000, NOW, key="1", tag="promotion")
    charge_now(sms())

    assert fired() == [("promotion", account_of().pk, 470_000)]


def test_spending_too_fast_bars_the_account_and_money_still_comes_in():
    make_prepaid(balance_micros=10_000_000)
    make_trigger("spent", 200_000, name="fraud", window_s=3_600, action="bar")
    account = account_of()
    for number in range(4):
        assert charge_now(sms(number=number, at=NOW + timedelta(minutes=number))).result is Result.SUCCESS
    assert fired() == []
    charge_now(sms(number=4, at=NOW + timedelta(minutes=5)))
    assert fired() == [("fraud", account.pk, 250_000)]

    refused = charge_now(sms(number=5, at=NOW + timedelta(minutes=6)))
    assert (refused.result, refused.reason) == (Result.BARRED, "account_barred")
    assert "barred (fraud)" in refused.message
    bar = AccountBar.objects.get()
    assert (bar.reason, bar.barred_by) == ("fraud", "trigger:fraud")
    operations.top_up(account, 1_000_000, NOW, key="1")
    with pytest.raises(Conflict, match="barred"):
        operations.transfer(account, account_of(), 1, NOW, key="2")

    lift_bar(account, by="ada", reason="customer called")
    # The trigger rests until its window is over.
    assert charge_now(sms(9, number=6, at=NOW + timedelta(minutes=7))).result is Result.SUCCESS
    assert charge_now(sms(9, number=7, at=NOW + timedelta(minutes=90))).result is Result.SUCCESS
    assert len(fired()) == 2
    assert list(AccountBar.history.order_by("history_id").values_list("history_type", flat=True)) == [
        "+",
        "-",
        "+",
    ]
    assert "lifted by ada: customer called" in AccountBar.history.all()[1].history_change_reason
    assert TriggerState.objects.count() == 1


def test_what_a_session_of_a_barred_account_still_reports_is_debited():
    make_prepaid(balance_micros=1_000_000)
    ask = RequestItem("data", "", Units(total_octets=10 * 1024**2), rating_group=1)
    assert charge_now(request(Operation.INITIATE, ask)).result is Result.SUCCESS
    bar_account(account_of(), "other", NOW, by="ada")
    used = ask._replace(used=(UsedUnits(Units(total_octets=1024**2)),))
    answer = charge_now(request(Operation.UPDATE, used, number=1))

    assert answer.result is Result.BARRED
    assert (answer.cost_micros, answer.items[0].granted) == (10_000, 0)
    assert_books_are_right()


def test_an_account_is_barred_once_and_only_while_it_is_open():
    make_prepaid()
    account = account_of()
    with pytest.raises(InvalidInput, match="not a reason"):
        bar_account(account, "whim", NOW, by="ada")
    with pytest.raises(Conflict, match="not barred"):
        lift_bar(account, by="ada")
    bar_account(account, "request", NOW, by="ada")
    with pytest.raises(Conflict, match="by ada"):
        bar_account(account, "request", NOW, by="bob")
    lift_bar(account, by="ada")
    account.closed_at = NOW
    with pytest.raises(Conflict, match="closed"):
        bar_account(account, "request", NOW, by="ada")


def test_a_trigger_that_was_switched_off_or_removed_meanwhile_does_not_fire():
    make_prepaid(balance_micros=520_000)
    low, spent = make_trigger(), make_trigger("spent", 10_000, window_s=3_600)
    charge_now(request(Operation.CHECK_BALANCE, RequestItem("sms", "4917", Units(service_specific=1))))
    BalanceTrigger.objects.filter(pk=low.pk).update(enabled=False)
    BalanceTrigger.objects.filter(pk=spent.pk).delete()
    assert charge_now(sms()).result is Result.SUCCESS

    assert fired() == []


def test_without_triggers_that_are_switched_on_a_batch_has_none_to_ask():
    make_prepaid()
    trigger = make_trigger()
    assert Directory().config()[0].triggers is not None
    trigger.enabled = False
    trigger.save()
    assert Directory().config()[0].triggers is None


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"kind": "spent"}, "window_s"),
        ({"kind": "spent", "window_s": 3_600, "threshold_micros": 0}, "threshold_micros"),
        ({"kind": "below", "window_s": 3_600}, "window_s"),
        ({"kind": "below", "tenant": "elsewhere", "account": True}, "account"),
        ({"kind": "below", "currency": "USD", "account": True}, "currency"),
        ({"kind": "below", "plan": True, "account": True}, "price_plan"),
    ],
)
def test_terms_that_make_no_sense_are_refused(terms, field):
    make_prepaid()
    if terms.get("tenant"):
        terms["tenant"] = Tenant.objects.create(code=terms["tenant"])
    if terms.get("account"):
        terms["account"] = account_of()
    if terms.pop("plan", False):
        terms["price_plan"] = account_of().payers.get().subscriber.plans.get().price_plan
    with pytest.raises(ValidationError) as caught:
        make_trigger(**terms)

    assert field in caught.value.message_dict


@pytest.mark.django_db(transaction=True)
def test_several_processes_that_spend_at_once_fire_once():
    make_prepaid(balance_micros=2_000_000)
    make_trigger(threshold_micros=1_000_000, name="low")
    make_trigger("spent", 900_000, name="fast", window_s=3_600)
    # Each has an engine of its own, as a process has.
    engines = [Engine() for _ in range(4)]

    def spend(number: int) -> None:
        try:
            for part in range(8):
                engines[number].run([sms(number=number * 100 + part)], NOW, own_thread=number < 2)
        finally:
            connection.close()

    threads = [threading.Thread(target=spend, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert default_balance().amount_micros == 2_000_000 - 32 * 50_000
    assert sorted((name, value) for name, _, value in fired()) == [("fast", 950_000), ("low", 950_000)]
    steps = TriggerState.objects.get().steps
    assert sum(int(step.split(":")[1]) for step in steps.split()) == 32 * 50_000
    assert_books_are_right()


@pytest.mark.django_db(transaction=True)
def test_what_fires_in_a_charging_thread_is_committed_with_what_it_saw():
    make_prepaid(balance_micros=2_000_000)
    make_trigger("spent", 100_000, name="fast", window_s=3_600, action="bar")
    with BatchExecutor(clock=lambda: NOW) as executor:
        answers = [submit(executor, sms(number=number)).result() for number in range(5)]

    assert [answer.result for answer in answers] == [Result.SUCCESS] * 3 + [Result.BARRED] * 2
    assert AccountBar.objects.get().reason == AccountBar.Reason.FRAUD
    assert [name for name, _, _ in fired()] == ["fast"]
    assert_books_are_right()
