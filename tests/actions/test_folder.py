"""Actions.csv, ActionPlans.csv and AccountActions.csv: loaded, checked with places, exported, flushed."""

from __future__ import annotations

import io
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from apps.actions.models import AccountPlan, Action, ActionGroup, ActionPlan, DueAction, Errand
from apps.actions.services.plans import run_due_plans
from apps.charging.models import Account, AccountBar, Balance
from apps.charging.services import operations
from apps.charging.services.executor import forget_directory
from apps.events.services.consuming import deliver
from apps.kernel.clock import utc_now
from tests.actions.makers import EURO
from tests.factories import make_tenant
from tests.rating.folders import write_folder

pytestmark = pytest.mark.django_db
NAMES = ("Actions", "ActionPlans", "ActionTriggers", "AccountActions")
FILES = {
    "Timings": "PEAK,*any,*any,*any,1;2;3;4;5,08:00:00\nFIRST,*any,*any,1,*any,01:00:00\n",
    "SharedGroups": "FAMILY,*any,*lowest,\n",
    "Actions": (
        'TOPUP,*topup_reset,,"{""Value"": {""*lt"": 5}}",,*monetary,*out,,*any,,,*unlimited,,10,,,,20\n'
        "TOPUP,*topup,,,MINUTES,*voice,*out,call,GERMANY;!DE_MOBILE,*zero1m,FAMILY,+720h,PEAK,1m30s,15,true,false,10\n"
        "TOPUP,*LOG,hello,,,,,,,,,,,,,,,\n"
        "FEE,*debit,,,*default,*monetary,*out,,,,,,,2.5,,,,\n"
    ),
    "ActionPlans": "START,TOPUP,*ASAP,10\nMONTHLY,FEE,FIRST,10\nMONTHLY,TOPUP,FIRST,20\n",
    "ActionTriggers": "WATCH,low,*min_balance,2,true,0s,,,,*monetary,*out,,,,,,,,,,,FEE,10\n",
    "AccountActions": "default,1001;1002,START;MONTHLY,,true,\ndefault,1003,MONTHLY,,,true\ndefault,1004,,WATCH,,\n",
}


@pytest.fixture(autouse=True)
def _tenant() -> None:
    make_tenant()


def load(path: Path, *options: str, **files: str) -> str:
    said = io.StringIO()
    try:
        call_command(
            "loadtariffplan", str(write_folder(path, **(FILES | files))), *options, stdout=said, stderr=said
        )
    except CommandError as error:
        said.write(f"REFUSED {error}")
    return said.getvalue()


def exported(path: Path) -> dict[str, str]:
    call_command("exporttariffplan", str(path), "--force", stdout=io.StringIO())
    return {name: (path / f"{name}.csv").read_text() for name in NAMES}


def test_a_folder_makes_groups_plans_and_accounts_that_have_them(tmp_path: Path) -> None:
    said = load(tmp_path / "tp")
    assert "REFUSED" not in said
    assert "not act on this file" not in said
    assert [row.kind for row in Action.objects.filter(group__code="TOPUP")] == [
        "*topup_reset",
        "*topup",
        "*log",
    ]
    plan = ActionPlan.objects.get(code="MONTHLY")
    assert [(entry.group.code, entry.timing) for entry in plan.entries.all()] == [
        ("TOPUP", "FIRST"),
        ("FEE", "FIRST"),
    ]
    accounts = Account.objects.order_by("number")
    assert [(row.number, row.allow_negative, row.mode, row.currency) for row in accounts] == [
        ("1001", True, "prepaid", "EUR"),
        ("1002", True, "prepaid", "EUR"),
        ("1003", False, "prepaid", "EUR"),
        ("1004", False, "prepaid", "EUR"),
    ]
    assert AccountBar.objects.get().account.number == "1003"
    assert [row.trigger_set and row.trigger_set.code for row in accounts] == [None, None, None, "WATCH"]
    assert run_due_plans(utc_now()) == 2
    account = accounts[0]
    balances = {balance.tag: balance for balance in Balance.objects.filter(account=account)}
    assert (balances["*default"].amount_micros, balances["MINUTES"].units) == (10 * EURO, 90)
    minutes = balances["MINUTES"]
    assert (minutes.destinations, minutes.categories, minutes.weight, minutes.blocker) == (
        "GERMANY;!DE_MOBILE",
        "call",
        15,
        True,
    )
    assert '"weekdays": [1, 2, 3, 4, 5]' in minutes.timings
    assert minutes.groups.get().code == "FAMILY"


def test_what_is_exported_loads_as_the_same(tmp_path: Path) -> None:
    load(tmp_path / "tp")
    first = exported(tmp_path / "out")
    rows = list(AccountPlan.objects.order_by("pk").values_list("pk", "assigned_at"))
    due = list(DueAction.objects.order_by("pk").values_list("pk", "due_at"))
    said = io.StringIO()
    call_command("loadtariffplan", str(tmp_path / "out"), stdout=said, stderr=said)
    assert exported(tmp_path / "again") == first
    # The plans of accounts go on as they were: nothing runs a second time.
    assert list(AccountPlan.objects.order_by("pk").values_list("pk", "assigned_at")) == rows
    assert list(DueAction.objects.order_by("pk").values_list("pk", "due_at")) == due
    call_command("loadtariffplan", str(tmp_path / "out"), "--flush", stdout=said, stderr=said)
    assert exported(tmp_path / "flushed") == first
    assert "default,1001,MONTHLY;START,,true,false" in first["AccountActions"]
    assert (
        "MINUTES,*voice,*out,call,GERMANY;!DE_MOBILE,*zero1m,FAMILY,+720h,PEAK,1m30s,15,true,false,10"
        in first["Actions"]
    )


@pytest.mark.parametrize(
    ("name", "row", "place"),
    [
        ("Actions", "A,*fly,,,,,,,,,,,,1,,,,", "Actions.csv, line 5, column Action: “*fly” is not an action"),
        ("Actions", "A,*topup,,,,*time,,,,,,,,1,,,,", "column BalanceType: “*time” is not a type of balance"),
        ("Actions", "A,*topup,,,,,,,,,,,,,,,,", "column Units: *topup needs units"),
        ("Actions", "A,*topup,,,,,,,,,,,,-5,,,,", "column Units: “-5” is negative"),
        ("Actions", "A,*topup,,{,,,,,,,,,,1,,,,", "column Filter: “{” is not a condition"),
        ("Actions", "A,*topup,,,,,,,,,,*later,,1,,,,", "column ExpiryTime: “*later” is not an end"),
        ("Actions", "A,*topup,,,,,,,NOWHERE,,,,,1,,,,", "column DestinationIds"),
        ("Actions", "A,*topup,,,,,,,,,NOBODY,,,1,,,,", "column SharedGroup"),
        ("Actions", "A,*topup,,,,,,,,,,,NEVER,1,,,,", "column TimingIds"),
        ("Actions", "A,*call_url,ftp://x/,,,,,,,,,,,,,,,", "column ExtraParameters: “ftp://x/” is not a URL"),
        (
            "Actions",
            "A,*topup_reset,rollover;years=1,,,,,,,,,,,1,,,,",
            "ExtraParameters: “years=1” is not a term",
        ),
        (
            "Actions",
            "A,*topup,rollover,,,,,,,,,,,1,,,,",
            "ExtraParameters: units roll over where *topup_reset",
        ),
        ("Actions", "A,*topup,,,,,,,,,,,,1,1.5,,,", "column BalanceWeight: “1.5” is not whole"),
        ("ActionPlans", "P,NOTHING,*asap,10", "ActionPlans.csv, line 4, column ActionsId"),
        ("ActionPlans", "P,FEE,NEVER,10", "column TimingId"),
        ("ActionPlans", "P,FEE,*often,10", "column TimingId: “*often” is not a time"),
        ("ActionPlans", "MONTHLY,FEE,FIRST,11", "column Weight: FEE stands in line 2 at this time"),
        ("AccountActions", "default,2001,NONE,,,", "AccountActions.csv, line 4, column ActionPlanId"),
        ("AccountActions", "default,2001,,NONE,,", "AccountActions.csv, line 4, column ActionTriggersId"),
        ("AccountActions", "default,2001,,WATCH;WATCH2,,", "an account has one set of triggers"),
        ("AccountActions", "default,1001,START,,,", "column Account: 1001 stands in line 1"),
        ("AccountActions", "default,2001,START,,perhaps,", "column AllowNegative"),
    ],
)
def test_a_bad_row_stops_the_load_with_its_place(tmp_path: Path, name: str, row: str, place: str) -> None:
    said = load(tmp_path / "tp", **{name: FILES[name] + row + "\n"})
    assert "REFUSED" in said
    assert place in said
    assert not ActionGroup.objects.exists()
    assert not Account.objects.exists()


def test_an_entry_that_leaves_a_plan_is_due_no_more_and_the_others_go_on(tmp_path: Path) -> None:
    load(tmp_path / "tp")
    kept = DueAction.objects.get(
        entry__group__code="TOPUP", entry__timing="FIRST", assignment__account__number="1003"
    )
    load(tmp_path / "less", ActionPlans="MONTHLY,TOPUP,FIRST,30\n", AccountActions="")
    row = DueAction.objects.get(assignment__account__number="1003")
    assert (row.pk, row.due_at, row.rank) == (kept.pk, kept.due_at, -300_000)


def test_a_plan_that_an_account_lacks_in_the_file_is_taken_from_it(tmp_path: Path) -> None:
    load(tmp_path / "tp")
    load(tmp_path / "less", AccountActions="default,1001,START,,false,\n")
    plans = AccountPlan.objects.order_by("account__number", "plan__code")
    assert [(row.account.number, row.plan.code) for row in plans] == [
        ("1001", "START"),
        ("1002", "MONTHLY"),
        ("1002", "START"),
        ("1003", "MONTHLY"),
    ]
    assert not Account.objects.get(number="1001").allow_negative


def test_a_flush_takes_what_the_folder_lacks_and_leaves_the_accounts(tmp_path: Path) -> None:
    load(tmp_path / "tp")
    rest = {
        "Actions": "FEE,*debit,,,,,,,,,,,,1,,,,\n",
        "ActionPlans": "MONTHLY,FEE,FIRST,10\n",
        "AccountActions": "default,1003,MONTHLY,,,\n",
    }
    said = load(tmp_path / "rest", "--flush", **rest)
    assert "REFUSED" not in said
    assert [group.code for group in ActionGroup.objects.all()] == ["FEE"]
    assert [row.account.number for row in AccountPlan.objects.all()] == ["1003"]
    assert Account.objects.count() == 4
    assert not Account.objects.filter(trigger_set__isnull=False).exists()


def test_a_trigger_of_the_folder_has_its_group_carried_out_on_the_account_once(tmp_path: Path) -> None:
    """From ActionTriggers.csv over a debit and its firing to the movement of the group that it names."""
    actions = "GIFT,*topup,,,,*monetary,,,,,,,,7,,,,\nGIFT,*log,refilled,,,,,,,,,,,,,,,\n"
    said = load(
        tmp_path / "tp",
        Actions=FILES["Actions"] + actions,
        ActionTriggers="WATCH,low,*min_balance,2,false,0s,,,,*monetary,*out,,,,,,,,,,,GIFT,10\n",
    )
    assert "REFUSED" not in said
    account = Account.objects.get(number="1004")
    now = utc_now()
    operations.top_up(account, 3 * EURO, now, key="a")
    forget_directory()
    operations.adjust(account, -2 * EURO, now, key="b")
    deliver(now)
    deliver(now)
    assert Balance.objects.get(account=account).amount_micros == 8 * EURO
    assert Errand.objects.get().parameters == "refilled"


def test_undoing_a_load_that_took_an_entry_does_not_have_it_run_at_once_again(tmp_path: Path) -> None:
    one = "default,1001,START,,,\n"
    load(tmp_path / "tp", AccountActions=one)
    run_due_plans(utc_now())
    total = Balance.objects.get(tag="*default").amount_micros
    without = FILES["ActionPlans"].replace("START,TOPUP,*ASAP,10", "START,FEE,FIRST,10")
    assert "REFUSED" not in load(tmp_path / "tp", ActionPlans=without, AccountActions=one)
    assert not DueAction.objects.filter(entry__timing="*asap").exists()
    call_command("rollbacktariff", stdout=io.StringIO())
    assert DueAction.objects.get(entry__timing="*asap").due_at is None
    load(tmp_path / "tp", AccountActions=one + one.replace("1001", "1002"))
    assert run_due_plans(utc_now()) == 1
    assert set(Balance.objects.filter(tag="*default").values_list("amount_micros", flat=True)) == {total}


def test_what_was_due_to_an_account_that_is_removed_stays_ended_when_the_folder_is_loaded_again(
    tmp_path: Path,
) -> None:
    removing = FILES["Actions"] + "END,*remove_account,,,,,,,,,,,,,,,,\n"
    files = {"Actions": removing, "AccountActions": "default,1001,MONTHLY,,,\n"}
    load(tmp_path / "tp", **files)
    call_command("actions", "run", "END", "1001", stdout=io.StringIO())
    run_due_plans(utc_now() + timedelta(days=32))
    assert set(DueAction.objects.values_list("due_at", flat=True)) == {None}
    call_command("exporttariffplan", str(tmp_path / "out"), stdout=io.StringIO())
    assert not (tmp_path / "out" / "AccountActions.csv").exists()
    assert "REFUSED" not in load(tmp_path / "again", **(files | {"AccountActions": ""}))
    assert set(DueAction.objects.values_list("due_at", flat=True)) == {None}
