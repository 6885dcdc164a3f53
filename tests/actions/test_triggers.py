"""Triggers of a folder with their actions: given to accounts by AccountActions.csv, carried out where they fire."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from apps.actions.models import Errand, RefusedActions
from apps.actions.services.errands import ERRANDS
from apps.actions.services.firings import FIRINGS
from apps.charging.domain.requests import Result
from apps.charging.models import Account, AccountBar, TriggerFiring
from apps.charging.services.executor import forget_directory
from apps.events.services.consuming import deliver
from tests.charging.stored import (
    NOW,
    account_of,
    assert_books_are_right,
    charge_now,
    default_balance,
    make_prepaid,
)
from tests.charging.test_triggers import fired, sms
from tests.rating.folders import write_folder

pytestmark = pytest.mark.django_db
FILES = {
    "Actions": (
        "STOP,*disable_account,fraud suspected,,,,,,,,,,,,,,,10\n"
        "STOP,*log,stopped,,,,,,,,,,,,,,,0\n"
        "BONUS,*topup,,,*default,*monetary,*out,,,,,,,1,,,,10\n"
        "BIG,*debit,,,*default,*monetary,*out,,,,,,,1000,,,,10\n"
    ),
    "ActionTriggers": (
        "FRAUD,fast,*max_event_counter,5,false,,,,,*sms,*out,,,,,,,,,,,STOP,10\n"
        "FRAUD,low,*min_balance,0.5,false,,,,*default,*monetary,*out,,,,,,,,,,,BONUS,10\n"
        "LARGE,,*min_balance,0.5,false,,,,*default,*monetary,*out,,,,,,,,,,,BIG,10\n"
    ),
    "AccountActions": "default,C1,,FRAUD,,\ndefault,C2,,LARGE,,\n",
}


def load(path: Path, *options: str, **files: str) -> str:
    said = io.StringIO()
    try:
        call_command(
            "loadtariffplan", str(write_folder(path, **(FILES | files))), *options, stdout=said, stderr=said
        )
    except CommandError as error:
        said.write(f"REFUSED {error}")
    forget_directory()
    return said.getvalue()


def test_a_folder_gives_accounts_triggers_whose_actions_follow_at_once(tmp_path: Path) -> None:
    make_prepaid(balance_micros=600_000)
    said = load(tmp_path / "tp")
    assert "REFUSED" not in said
    answers = [charge_now(sms(number=number)) for number in range(6)]

    assert [answer.result for answer in answers] == [Result.SUCCESS] * 5 + [Result.BARRED]
    assert [name for name, _, _ in fired()] == ["FRAUD:low", "FRAUD:fast"]
    assert default_balance().amount_micros == 600_000 + 1_000_000 - 250_000
    assert AccountBar.objects.get().note == "fraud suspected"
    deliver(NOW, [FIRINGS, ERRANDS])
    assert default_balance().amount_micros == 1_350_000
    assert Errand.objects.get().parameters == "stopped"
    assert not RefusedActions.objects.exists()
    assert_books_are_right()


def test_actions_that_are_refused_with_the_usage_are_kept_for_staff(tmp_path: Path) -> None:
    make_prepaid(2, balance_micros=600_000)
    load(tmp_path / "tp")
    assert charge_now(sms(4, of=2)).result is Result.SUCCESS
    deliver(NOW, [FIRINGS])

    refused = RefusedActions.objects.get()
    assert (refused.group.code, refused.reason) == ("BIG", "credit_limit_reached")
    assert refused.key == f"firing:{TriggerFiring.objects.get().pk}"
    assert default_balance(2).amount_micros == 400_000


def test_sets_of_accounts_are_exported_taken_away_and_checked(tmp_path: Path) -> None:
    make_prepaid()
    load(tmp_path / "tp")
    call_command("exporttariffplan", str(tmp_path / "out"), "--force", stdout=io.StringIO())
    assert (tmp_path / "out" / "AccountActions.csv").read_text().splitlines()[1:] == [
        "default,C1,,FRAUD,false,false",
        "default,C2,,LARGE,false,false",
    ]
    assert account_of().trigger_set is not None
    said = load(tmp_path / "bad", AccountActions="default,C1,,FRAUD;LARGE,,\n")
    assert "column ActionTriggersId: an account has one set of triggers" in said
    load(tmp_path / "less", "--flush", AccountActions="default,C1,,,,\n")
    assert not Account.objects.filter(trigger_set__isnull=False).exists()
