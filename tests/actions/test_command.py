"""``manage.py actions``."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from apps.actions.models import AccountPlan, Errand, RefusedActions
from apps.events.services.consuming import deliver
from apps.kernel.clock import utc_now
from tests.actions.makers import EURO, account, make_action_plan, make_group, money
from tests.charging.stored import make_prepaid

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    said = io.StringIO()
    call_command("actions", *arguments, stdout=said, stderr=said)
    return said.getvalue()


def test_a_group_is_listed_and_carried_out_once_under_a_key(tmp_path: Path) -> None:
    make_prepaid(1, balance_micros=0)
    make_prepaid(2, balance_micros=0)
    make_group()
    assert "*shared TOPUP: *topup 10" in run("list")
    numbers = tmp_path / "numbers"
    numbers.write_text("C1\nC2\n")
    assert "carried out on 1 account" in run("run", "TOPUP", "C1", "--key", "may")
    assert "carried out on 1 account, 0 refused, 1 had it before" in run(
        "run", "TOPUP", "--file", str(numbers), "--key", "may"
    )
    assert (money(1), money(2)) == (10 * EURO, 10 * EURO)


def test_a_plan_is_given_shown_due_carried_out_and_taken(tmp_path: Path) -> None:
    make_prepaid(balance_micros=0)
    make_action_plan("MONTHLY", (make_group(), "*asap"), (make_group("MORE"), "*monthly"))
    assert run("assign", "MONTHLY", "C1") == "1 account has MONTHLY from now on\n"
    assert "*shared MONTHLY: TOPUP at *asap, 1 account" in run("plans")
    assert "C1 MONTHLY: TOPUP" in run("due")
    assert run("due", "--run") == "1 carried out\n"
    assert "C1 MONTHLY: TOPUP" not in run("due")
    assert "C1 MONTHLY: MORE" in run("due")
    assert money() == 10 * EURO
    assert run("remove", "MONTHLY", "C1") == "MONTHLY was taken from 1 account\n"
    assert not AccountPlan.objects.exists()


def test_what_was_refused_is_listed_and_settled() -> None:
    make_prepaid(balance_micros=0)
    make_group("FEE", {"kind": "*debit", "units": "1"})
    with pytest.raises(CommandError, match="some were refused"):
        run("run", "FEE", "C1")
    row = RefusedActions.objects.get()
    assert f"{row.pk} " in run("refused")
    assert "has 0.00 EUR left, less than 1.00 EUR" in run("refused")
    with pytest.raises(CommandError, match="less than"):
        run("refused", "--again", str(row.pk))
    assert "is settled" in run("refused", "--drop", str(row.pk))
    assert run("refused") == "Nothing is refused.\n"


def test_calls_that_failed_are_listed_sent_again_and_given_up() -> None:
    make_prepaid()
    make_group("HOOK", {"kind": "*call_url", "extra_parameters": "https://crm.example/hook"})
    run("run", "HOOK", "C1")
    deliver(utc_now())
    Errand.objects.update(status="failed", retry_at=None, result="answered 500")
    errand = Errand.objects.get()
    assert "*call_url https://crm.example/hook: answered 500" in run("errands")
    assert "sent again" in run("errands", "--again", str(errand.pk))
    Errand.objects.update(status="failed", retry_at=None)
    assert "given up" in run("errands", "--drop", str(errand.pk))
    assert run("errands") == "No call or mail has failed.\n"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("run", "NONE", "C1"), "has no group of actions “NONE”"),
        (("run", "TOPUP", "C9"), "has no account “C9”"),
        (("run", "TOPUP"), "name accounts"),
        (("run", "TOPUP", "--file", "/nowhere"), "cannot be read"),
        (("assign", "NONE", "C1"), "has no action plan “NONE”"),
        (("refused", "--again", "9"), "nothing refused that has the id 9"),
        (("errands", "--again", "9"), "no failed errand 9"),
        (("--tenant", "nowhere", "list"), "no tenant “nowhere”"),
    ],
)
def test_what_is_not_there_is_said(arguments: tuple[str, ...], error: str) -> None:
    make_prepaid()
    make_group()
    assert account().number == "C1"
    with pytest.raises(CommandError, match=error):
        run(*arguments)
