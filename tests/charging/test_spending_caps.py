"""Spending caps: a warning at 80 per cent, an end at 100, until the month is over or the cap is changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from apps.billing.models import Notification
from apps.billing.services.trigger_notices import NOTICES
from apps.charging.domain.requests import Result
from apps.charging.models import AccountBar, BalanceTrigger, TriggerFiring
from apps.charging.services import executor
from apps.charging.services.barring import bar_account, bar_for_cap
from apps.charging.services.executor import forget_directory
from apps.charging.services.spending_caps import SpendingCap, cap_of, clear_cap, lift_caps, set_cap
from apps.events.services.consuming import deliver
from apps.kernel.errors import Conflict, InvalidInput, NotFound
from tests.charging.stored import NOW, account_of, charge_now, make_prepaid
from tests.charging.test_trigger_counters import load
from tests.charging.test_triggers import fired, sms
from tests.factories import make_tenant

pytestmark = pytest.mark.django_db
EURO = 1_000_000
JUNE = datetime(2026, 5, 31, 22, tzinfo=UTC)
"""The month begins in the tenant's zone, not in UTC."""


@pytest.fixture(autouse=True)
def berlin() -> None:
    make_tenant(time_zone="Europe/Berlin")


def cap(euros: int = 1, at: datetime = NOW) -> SpendingCap:
    made = set_cap(account_of(), euros * EURO, at)
    forget_directory()
    return made


def use(messages: int, number: int = 0, at: datetime = NOW) -> Result:
    """At 0.05 each."""
    return charge_now(sms(messages, number=number)._replace(at=at, session_id=f"{number}")).result


def percents() -> list[str]:
    return [name.rsplit(", ")[1] for name, _, _ in fired()]


def test_a_cap_warns_at_80_per_cent_and_bars_at_100_once_a_month_each() -> None:
    make_prepaid(balance_micros=10 * EURO)
    cap()
    assert use(15, 1) is Result.SUCCESS
    assert percents() == []
    use(1, 2)
    use(1, 3)
    assert percents() == ["80 %"]
    use(3, 4)
    assert percents() == ["80 %", "100 %"]
    bar = AccountBar.objects.get()
    assert (bar.reason, bar.barred_by) == ("cap", "trigger:Spending cap of C1, 100 %")
    assert use(1, 5) is Result.BARRED
    assert cap_of(account_of(), NOW) == SpendingCap(account_of().pk, EURO, EURO, True, True)
    deliver(NOW, (NOTICES,))
    told = Notification.objects.filter(text__contains="Spending cap").order_by("pk")
    assert [notice.level for notice in told] == ["warning", "error"]
    assert "used 0.80 EUR, threshold 0.80 EUR" in told[0].text
    assert "barred until the month is over" in told[1].text


def test_the_bar_is_lifted_when_the_month_begins_and_counting_begins_at_zero() -> None:
    make_prepaid(balance_micros=10 * EURO)
    cap()
    use(20, 1)
    assert lift_caps(JUNE - timedelta(seconds=1)) == 0
    assert lift_caps(JUNE) == 1
    assert lift_caps(JUNE) == 0
    assert "a new month" in str(AccountBar.history.first().history_change_reason)
    assert use(20, 2, JUNE) is Result.SUCCESS
    assert percents() == ["80 %", "100 %"] * 2
    assert use(1, 3, JUNE) is Result.BARRED


def test_a_bar_of_an_earlier_month_gives_way_to_one_of_this() -> None:
    make_prepaid(balance_micros=10 * EURO)
    cap()
    use(20, 1)
    account = account_of()
    # Beat has not lifted the bar of May yet when usage of June, from a file, reaches the cap again.
    bar_for_cap(account.pk, account.tenant, JUNE, JUNE, by="trigger:cap", note="")
    assert AccountBar.objects.get().barred_at == JUNE
    assert lift_caps(JUNE) == 0


def test_usage_of_a_month_that_is_over_bars_no_one_in_the_next() -> None:
    make_prepaid(balance_micros=10 * EURO)
    cap()
    asked = sms(20)._replace(at=JUNE - timedelta(hours=1))
    executor.charge_now(asked, JUNE + timedelta(hours=1))
    assert percents() == ["80 %", "100 %"]
    assert not AccountBar.objects.exists()


def test_a_raised_cap_lets_the_account_in_again_and_warns_again() -> None:
    make_prepaid(balance_micros=10 * EURO)
    cap()
    use(20, 1)
    assert cap(2) == SpendingCap(account_of().pk, 2 * EURO, EURO, False, False)
    assert use(11, 2) is Result.SUCCESS
    assert percents() == ["80 %", "100 %"]
    use(1, 3)
    use(8, 4)
    assert percents() == ["80 %", "100 %"] * 2
    assert use(1, 5) is Result.BARRED


def test_a_lowered_cap_that_was_passed_bars_with_the_next_use() -> None:
    make_prepaid(balance_micros=10 * EURO)
    cap(10)
    use(40, 1)
    assert not cap(1).is_barred
    use(1, 2)
    assert percents() == ["80 %", "100 %"]


def test_a_cleared_cap_takes_its_bar_along_and_leaves_others() -> None:
    make_prepaid(balance_micros=10 * EURO)
    cap()
    use(20, 1)
    assert clear_cap(account_of(), NOW).is_barred
    forget_directory()
    assert use(40, 2) is Result.SUCCESS
    assert cap_of(account_of(), NOW) is None
    with pytest.raises(NotFound):
        clear_cap(account_of(), NOW)
    assert TriggerFiring.objects.count() == 2
    assert cap().spent_micros == 0
    bar_account(account_of(), "fraud", NOW, by="anna")
    clear_cap(account_of(), NOW)
    assert AccountBar.objects.get().reason == "fraud"


def test_usage_from_files_counts() -> None:
    make_prepaid(balance_micros=100 * EURO)
    cap()
    load(("voice", 1200))
    assert percents() == ["80 %", "100 %"]
    assert AccountBar.objects.get().reason == "cap"


def test_a_cap_is_above_zero_and_of_an_open_account() -> None:
    make_prepaid()
    with pytest.raises(InvalidInput, match="above zero"):
        set_cap(account_of(), 0, NOW)
    account = account_of()
    account.closed_at = NOW
    account.save()
    with pytest.raises(Conflict, match="closed"):
        cap()


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("spendingcap", *arguments, stdout=out)
    return out.getvalue()


def test_caps_are_set_shown_and_cleared_by_command() -> None:
    make_prepaid()
    assert run("show", "C1") == "C1: no spending cap\n"
    assert run("set", "C1", "49.90") == "C1: 0.00 EUR of 49.90 EUR a month\n"
    assert run("show", "C1") == "C1: 0.00 EUR of 49.90 EUR a month\n"
    assert run("clear", "C1") == "C1: no spending cap any more\n"
    assert not BalanceTrigger.objects.exists()
    with pytest.raises(CommandError, match="no account “C9”"):
        run("show", "C9")
    with pytest.raises(CommandError):
        run("set", "C1", "much")


def test_caps_are_set_and_cleared_on_the_accounts_page(client: Client) -> None:
    make_prepaid()
    client.force_login(User.objects.create_superuser("boss"))
    pk = account_of().pk
    page = reverse("admin:charging_account_change", args=[pk])
    set_page, clear_page = (
        reverse("admin:charging_account_do", args=[pk, name])
        for name in ("spending-cap", "clear-spending-cap")
    )
    assert client.post(set_page, {"limit_micros": "20"}).status_code == 302
    assert "20.00 EUR" in client.get(page).content.decode()
    assert client.post(clear_page).status_code == 302
    assert not BalanceTrigger.objects.exists()
