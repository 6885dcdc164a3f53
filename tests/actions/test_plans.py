"""Action plans: each due time of each account once, also after misses, refusals and kills."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from django.db import connection

from apps.actions.models import AccountPlan, Action, ActionPlanEntry, DueAction, RefusedActions
from apps.actions.services import plans
from apps.actions.services.plans import (
    assign_plan,
    due_now,
    make_due_rows,
    reckon_again,
    remove_plan,
    run_due_plans,
)
from apps.actions.services.running import drop, run_again, run_group
from apps.charging.models import LedgerEntry
from apps.kernel.errors import Conflict, InvalidInput
from apps.rating.models import Tenant
from tests import python_processes
from tests.actions.kill_at import STEPS
from tests.actions.makers import EURO, NOW, account, make_action_plan, make_group, make_timing, money
from tests.charging.stored import assert_books_are_right, make_prepaid

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def test_a_plan_runs_at_once_and_then_at_its_times() -> None:
    make_prepaid(balance_micros=0)
    make_timing("FIRST", month_days="1", start_s=3600)
    plan = make_action_plan("P", (make_group("NOW"), "*asap"), (make_group("LATER"), "FIRST"))
    assert assign_plan(plan, [account().pk], NOW) == 1
    assert assign_plan(plan, [account().pk], NOW + DAY) == 0
    assert run_due_plans(NOW) == 1
    assert run_due_plans(NOW) == 0
    first = datetime(2026, 6, 1, 1, tzinfo=NOW.tzinfo)
    assert run_due_plans(first - timedelta(seconds=1)) == 0
    assert run_due_plans(first) == 1
    assert money() == 20 * EURO
    entry = LedgerEntry.objects.latest("pk")
    assert (entry.at, entry.cause.split(":")[:2]) == (first, ["action", "plan"])
    assert DueAction.objects.get(entry__timing="*asap").due_at is None


def test_what_was_missed_is_carried_out_once_for_each_due_time_with_its_value_date() -> None:
    make_prepaid(balance_micros=0)
    assign_plan(make_action_plan("P", (make_group(), "*daily")), [account().pk], NOW)
    assert run_due_plans(NOW + 3 * DAY) == 3
    topups = LedgerEntry.objects.filter(kind="top_up").order_by("pk")
    assert [entry.at for entry in topups] == [NOW + DAY, NOW + 2 * DAY, NOW + 3 * DAY]
    row = DueAction.objects.get()
    assert (row.due_at, row.done_at, row.done_count) == (NOW + 4 * DAY, NOW + 3 * DAY, 3)


def test_many_accounts_run_in_batches_each_at_times_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "AT_ONCE", 3)
    monkeypatch.setattr(plans, "_FEW", 1)
    plan = make_action_plan("P", (make_group(), "*monthly"))
    for number in range(1, 8):
        make_prepaid(number, balance_micros=0)
        assign_plan(plan, [account(number).pk], NOW + number * timedelta(hours=1))
    seen: list[int] = []
    assert run_due_plans(NOW + 32 * DAY, report=seen.append) == 7
    assert seen == [3, 6, 7]
    assert {money(number) for number in range(1, 8)} == {10 * EURO}
    assert len(set(DueAction.objects.values_list("due_at", flat=True))) == 7
    assert set(DueAction.objects.values_list("done_count", flat=True)) == {1}
    assert_books_are_right()


def test_of_what_is_due_at_once_the_entry_with_the_highest_weight_comes_first() -> None:
    make_prepaid(balance_micros=0)
    plan = make_action_plan("P")
    empty = make_group("EMPTY", {"kind": "*debit_reset"})
    for group, weight in ((empty, 10), (make_group(), 20)):
        ActionPlanEntry.objects.create(plan=plan, group=group, timing="*asap", weight=weight)
    assign_plan(plan, [account().pk], NOW)
    run_due_plans(NOW)
    assert money() == 0


def test_an_entry_that_comes_later_is_due_for_accounts_that_have_the_plan() -> None:
    make_prepaid(balance_micros=0)
    plan = make_action_plan("P", (make_group(), "*daily"))
    assign_plan(plan, [account().pk], NOW)
    ActionPlanEntry.objects.create(plan=plan, group=make_group("MORE"), timing="*daily")
    later = NOW + timedelta(hours=30)
    make_due_rows(plan, later)
    assert DueAction.objects.get(entry__group__code="MORE").due_at == NOW + 2 * DAY


def test_a_changed_timing_moves_times_to_come_and_leaves_what_is_due() -> None:
    make_prepaid(1)
    make_prepaid(2)
    timing = make_timing("NIGHT", start_s=3600)
    plan = make_action_plan("P", (make_group(), "NIGHT"))
    assign_plan(plan, [account(1).pk], NOW)
    assign_plan(plan, [account(2).pk], NOW + DAY)
    timing.start_s = 7200
    timing.save()
    now = NOW + timedelta(hours=20)
    assert reckon_again(plan, now) == 1
    due = {row.assignment.account.number: row.due_at for row in DueAction.objects.all()}
    assert due["C1"] == NOW.replace(day=21, hour=1)
    assert due["C2"] == NOW.replace(day=22, hour=2)


def test_a_plan_that_is_taken_away_is_due_no_more() -> None:
    make_prepaid(balance_micros=0)
    plan = make_action_plan("P", (make_group(), "*asap"))
    assign_plan(plan, [account().pk], NOW)
    assert remove_plan(plan, [account().pk]) == 1
    assert run_due_plans(NOW) == 0
    assert not AccountPlan.objects.exists()


def test_what_is_refused_is_kept_and_can_be_carried_out_later_or_dropped() -> None:
    make_prepaid(1, balance_micros=0)
    make_prepaid(2, balance_micros=5 * EURO)
    plan = make_action_plan("P", (make_group("FEE", {"kind": "*debit", "units": "3"}), "*daily"))
    assign_plan(plan, [account(1).pk, account(2).pk], NOW)
    assert run_due_plans(NOW + DAY) == 2
    assert (money(1), money(2)) == (0, 2 * EURO)
    refused = RefusedActions.objects.get()
    assert (refused.account, refused.reason, refused.at) == (account(1), "credit_limit_reached", NOW + DAY)
    with pytest.raises(Conflict, match="less than"):
        run_again(refused, NOW + DAY)
    run_group(make_group(), [account(1).pk], NOW + DAY, key="gift")
    run_again(refused, NOW + DAY)
    assert money(1) == 7 * EURO
    with pytest.raises(Conflict, match="settled"):
        run_again(refused, NOW + DAY)
    with pytest.raises(Conflict, match="settled"):
        drop(refused, NOW + DAY)


def test_a_closed_account_is_due_no_more() -> None:
    make_prepaid()
    assign_plan(
        make_action_plan("P", (make_group("END", {"kind": "*remove_account"}), "*daily")), [account().pk], NOW
    )
    assert run_due_plans(NOW + 5 * DAY) == 2
    assert DueAction.objects.get().due_at is None


def test_an_error_of_ours_holds_up_its_own_account_only(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = make_action_plan("P", (make_group(), "*asap"))
    for number in range(1, 6):
        make_prepaid(number, balance_micros=0)
    assign_plan(plan, [account(number).pk for number in range(1, 6)], NOW)
    real, broken = plans.carry_out, account(3).pk

    def carry_out(wanted, now, **more):  # type: ignore[no-untyped-def]
        if any(one.account_id == broken for one in wanted):
            raise RuntimeError("broken")
        return real(wanted, now, **more)

    monkeypatch.setattr(plans, "carry_out", carry_out)
    run_due_plans(NOW)
    assert [money(number) for number in (1, 2, 4, 5)] == [10 * EURO] * 4
    assert RefusedActions.objects.get().reason == "internal_error"
    assert due_now(NOW) == 0


@pytest.mark.parametrize("actions", [{"kind": "*topup", "units": "10"}, {"kind": "*log"}])
def test_a_batch_that_another_process_has_carried_out_is_left_alone(actions: dict[str, object]) -> None:
    make_prepaid(1, balance_micros=0)
    make_prepaid(2, balance_micros=0)
    plan = make_action_plan("P", (make_group("G", actions), "*daily"))
    assign_plan(plan, [account(1).pk, account(2).pk], NOW)
    batch = plans._next_batch(NOW + DAY)
    assert run_due_plans(NOW + DAY) == 2
    held, entries = [money(1), money(2)], LedgerEntry.objects.count()
    with pytest.raises(plans.Overtaken):
        plans._carry_out(batch, NOW + DAY)
    assert ([money(1), money(2)], LedgerEntry.objects.count()) == (held, entries)
    assert set(DueAction.objects.values_list("done_count", flat=True)) == {1}


@pytest.mark.mariadb_only
@pytest.mark.django_db(transaction=True)
def test_runs_side_by_side_carry_out_each_due_time_once() -> None:
    plan = make_action_plan("P", (make_group(), "*daily"))
    for number in range(1, 6):
        make_prepaid(number, balance_micros=0)
    assign_plan(plan, [account(number).pk for number in range(1, 6)], NOW)

    def run() -> int:
        try:
            return run_due_plans(NOW + 4 * DAY)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        done = [one.result() for one in [pool.submit(run) for _ in range(4)]]
    assert sum(done) + run_due_plans(NOW + 4 * DAY) == 20
    assert {money(number) for number in range(1, 6)} == {40 * EURO}
    assert_books_are_right()


def test_a_group_that_names_something_unknown_is_refused_with_the_reason() -> None:
    make_prepaid()
    group = make_group(
        "MINUTES", {"kind": "*topup", "balance_type": "*voice", "units": "60", "timings": "NIGHT"}
    )
    assert run_group(group, [account().pk], NOW, key="a").refused == 1
    assert "NIGHT" in RefusedActions.objects.get().message


def test_a_run_under_a_key_carries_out_once() -> None:
    make_prepaid(1, balance_micros=0)
    make_prepaid(2, balance_micros=0)
    group = make_group()
    assert run_group(group, [account(1).pk], NOW, key="may") == (1, 0, 0)
    assert run_group(group, [account(1).pk, account(2).pk], NOW, key="may") == (1, 0, 1)
    assert money(1) == money(2) == 10 * EURO
    with pytest.raises(InvalidInput, match="at least one account"):
        run_group(group, [], NOW, key="may")


def test_times_are_those_of_the_accounts_tenant() -> None:
    make_prepaid()
    Tenant.objects.update(time_zone="Asia/Tokyo")
    make_timing("MIDNIGHT")
    assign_plan(make_action_plan("P", (make_group(), "MIDNIGHT")), [account().pk], NOW)
    assert DueAction.objects.get().due_at == datetime(2026, 5, 20, 15, tzinfo=NOW.tzinfo)


def test_bad_columns_of_an_action_are_named() -> None:
    action = Action(kind="*topup", units="ten", expiry="*soon", balance_weight="1.5", filter="{")
    problems = {}
    try:
        action.clean()
    except Exception as error:
        problems = error.message_dict  # type: ignore[attr-defined]
    assert set(problems) == {"units", "expiry", "balance_weight", "filter"}


@pytest.mark.django_db(transaction=True)
def test_a_run_that_is_killed_at_any_step_is_made_up_for_exactly_once(database_url: str) -> None:
    plan = make_action_plan(
        "P",
        (
            make_group("G", {"kind": "*topup", "units": "10"}, {"kind": "*log", "extra_parameters": "x"}),
            "*daily",
        ),
    )
    for number in range(1, 6):
        make_prepaid(number, balance_micros=0)
    assign_plan(plan, [account(number).pk for number in range(1, 6)], NOW)
    for number, step in enumerate(STEPS, start=1):
        process = python_processes.start(
            ["-m", "tests.actions.kill_at", step, (NOW + number * DAY).isoformat()],
            env={
                **os.environ,
                "DATABASE_URL": database_url,
                "DJANGO_SETTINGS_MODULE": "bss_project.settings",
            },
        )
        assert process.wait(timeout=120) == -signal.SIGKILL, step
        if number % 2:
            run_due_plans(NOW + number * DAY)
    run_due_plans(NOW + len(STEPS) * DAY)
    assert {money(number) for number in range(1, 6)} == {len(STEPS) * 10 * EURO}
    assert set(DueAction.objects.values_list("done_count", flat=True)) == {len(STEPS)}
    assert_books_are_right()
