"""Triggers and bars from the command line and in the admin."""

from __future__ import annotations

from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from apps.billing.models import Notification
from apps.billing.services.trigger_notices import NOTICES
from apps.charging.domain.published import TRIGGER_FIRED
from apps.charging.models import AccountBar, BalanceTrigger, TriggerFiring
from apps.events.models import Event
from apps.events.services.consuming import deliver, replay
from apps.rating.models import Tenant
from tests.charging.stored import NOW, account_of, charge_now, make_prepaid
from tests.charging.test_triggers import make_trigger, sms

pytestmark = pytest.mark.django_db


def run(command: str, *arguments: str) -> str:
    out = StringIO()
    call_command(command, *arguments, stdout=out)
    return out.getvalue()


def test_triggers_are_made_listed_switched_and_their_firings_told():
    make_prepaid(balance_micros=520_000)
    run("triggers", "add", "low", "--below", "0.50", "--action", "reauthorise")
    run("triggers", "add", "fast", "--spent", "20", "--within", "day", "--account", "C1", "--quiet")
    run("triggers", "add", "rich", "--above", "100", "--plan", "PLAN")
    run("triggers", "off", "rich")
    charge_now(sms())

    assert run("triggers", "list").splitlines() == [
        "fast (on): account C1, spent more than 20.00 EUR within a day → notify, quietly",
        "low (on): all accounts, *default below 0.50 EUR → reauthorise",
        "rich (off): accounts on PLAN, *default above 100.00 EUR → notify",
    ]
    (told,) = run("triggers", "firings", "--account", "C1").splitlines()
    assert told.startswith("2026-05-20 12:00:00 UTC C1: balance *default fell below 0.50 EUR, to 0.47 EUR")
    assert BalanceTrigger.history.filter(name="rich").count() == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("add", "x", "--spent", "5"), "within how long"),
        (("add", "x", "--below", "five"), "five"),
        (("add", "x", "--below", "5", "--account", "C9"), "no account “C9”"),
        (("add", "x", "--below", "5", "--plan", "NONE"), "no price plan “NONE”"),
        (("add", "low", "--below", "5"), "(?i)already"),
        (("off", "nothing"), "no trigger “nothing”"),
    ],
)
def test_what_cannot_be_says_why(arguments, says):
    make_prepaid()
    make_trigger(name="low")
    with pytest.raises(CommandError, match=says):
        run("triggers", *arguments)


def test_another_tenants_triggers_and_accounts_are_not_seen():
    make_prepaid()
    make_trigger(name="low")
    Tenant.objects.create(code="elsewhere")

    assert run("triggers", "--tenant", "elsewhere", "list").startswith("There are no triggers")
    with pytest.raises(CommandError, match="no trigger"):
        run("triggers", "--tenant", "elsewhere", "off", "low")
    with pytest.raises(CommandError, match="no account"):
        run("accountbar", "--tenant", "elsewhere", "bar", "C1")


def test_accounts_are_barred_listed_and_let_in_again():
    make_prepaid()
    run("accountbar", "bar", "C1", "--reason", "request", "--note", "stolen")
    assert ": request, stolen" in run("accountbar", "list")
    assert charge_now(sms()).result == "barred"
    run("accountbar", "lift", "C1", "--note", "found")
    assert run("accountbar", "list") == ""
    with pytest.raises(CommandError, match="not barred"):
        run("accountbar", "lift", "C1")


def test_each_firing_becomes_one_notification_unless_it_is_to_be_quiet():
    make_prepaid(balance_micros=600_000)
    make_trigger(name="low")
    make_trigger("below", 580_000, name="quiet", notify=False)
    make_trigger("spent", 100_000, name="fraud", window_s=3_600, action="bar")
    charge_now(sms(3))

    for _ in range(2):
        deliver(NOW)
    # An operator may have an event handled once more.
    replay(Event.objects.filter(kind=TRIGGER_FIRED.name).first(), NOTICES, NOW)
    tenant = Tenant.objects.get(code="default")
    assert list(Notification.objects.order_by("pk").values_list("level", "tenant", "text")) == [
        ("info", tenant.pk, "Account C1: balance *default fell below 0.50 EUR, to 0.45 EUR (trigger low)"),
        (
            "error",
            tenant.pk,
            "Account C1: spent 0.15 EUR within an hour, more than 0.10 EUR; the account is barred (trigger fraud)",
        ),
    ]


@pytest.fixture
def client() -> Client:
    found = Client()
    found.force_login(User.objects.create_superuser("root", "", "only-for-tests"))
    return found


def test_a_trigger_is_made_in_the_admin_and_heeded(client):
    make_prepaid(balance_micros=520_000)
    fields = {
        "name": "low",
        "enabled": "on",
        "tenant": str(Tenant.objects.get(code="default").pk),
        "kind": "below",
        "threshold_micros": "0.50",
        "currency": "eur",
        "balance_kind": "monetary",
        "balance_tag": "*default",
        "threshold_units": "0",
        "min_sleep_s": "0",
        "weight": "0",
        "action": "notify",
        "notify": "on",
    }
    wrong = client.post(reverse("admin:charging_balancetrigger_add"), fields | {"kind": "spent"})
    assert "Say within how long." in wrong.content.decode()
    assert client.post(reverse("admin:charging_balancetrigger_add"), fields).status_code == 302
    charge_now(sms())

    firing = TriggerFiring.objects.get()
    listed = client.get(reverse("admin:charging_triggerfiring_changelist")).content.decode()
    assert "0.47" in listed
    account_page = reverse("admin:charging_account_change", args=[firing.account_id])
    assert "0.47" in client.get(account_page, {"panel": "triggers"}).content.decode()


def test_an_account_is_barred_and_let_in_again_on_its_page(client):
    make_prepaid()
    account = account_of()
    do = "admin:charging_account_do"
    client.post(reverse(do, args=[account.pk, "bar"]), {"reason": "fraud", "note": "seen"})
    bar = AccountBar.objects.get()
    assert (bar.barred_by, bar.note) == ("root", "seen")
    page = client.get(reverse("admin:charging_account_change", args=[account.pk])).content.decode()
    assert "Fraud suspected" in page
    client.post(reverse("admin:charging_accountbar_do", args=[account.pk, "lift"]), {"reason": "wrong"})
    assert not AccountBar.objects.exists()
    assert AccountBar.history.filter(history_change_reason="lifted by root: wrong").exists()
