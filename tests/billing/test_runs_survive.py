"""Bill runs in real processes: killed at every step, two at once, beside a loader, and on real Celery workers."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from apps.billing import tasks
from apps.billing.models import Activity, Bill, BillingAccount, BillLine, BillRun, BillRunChunk, Notification
from apps.billing.services.activities import queue_activity
from apps.charging.models import Balance
from tests import python_processes
from tests.billing.run_in_a_process import STEPS
from tests.billing.scenes import EURO, Usage, at, lines_add_up, month, people, run, store, totals
from tests.factories import make_cycle, make_plan

pytestmark = pytest.mark.django_db(transaction=True)
NOW = at(2, 1)
TIMEOUT_S = 90


@pytest.fixture
def cycle():
    return make_cycle(1)


@pytest.fixture
def in_a_process(database_url) -> Callable[[str], python_processes.Process]:
    def start(step: str) -> python_processes.Process:
        return python_processes.start(
            ["-m", "tests.billing.run_in_a_process", step, NOW.isoformat()],
            env={
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "bss_project.settings",
                "DATABASE_URL": database_url,
                "BSS_BILLING_CHUNK_ACCOUNTS": "2",
            },
        )

    return start


def ended(process: python_processes.Process) -> int:
    output, _ = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode in (0, -signal.SIGKILL), output
    return process.returncode


def scene(cycle) -> None:
    """Five postpaid accounts and one prepaid, with a fee and two records each, one of the next period."""
    plan = make_plan("PLAN", fee_micros=10 * EURO)
    some = people(5, plan=plan) + people(
        1, plan=plan, first=6, mode="prepaid", opening_balance_micros=50 * EURO
    )
    store(record for one in some for record in (Usage(one, at(1, 5)), Usage(one, at(2, 1, 5), 3 * EURO)))


def assert_everything_billed_once() -> None:
    assert totals() == {f"C{number}": [11 * EURO] for number in range(1, 7)}
    assert lines_add_up()
    assert BillLine.objects.filter(kind="usage").count() == 6
    assert sorted(Bill.objects.values_list("number", flat=True)) == [
        *(f"2026-{number:08d}" for number in range(1, 6)),
        "S2026-00000001",
    ]
    assert set(BillingAccount.objects.values_list("billed_until", flat=True)) == {at(2, 1, 0)}
    assert Balance.objects.get().amount_micros == (50 - 1 - 3 - 10) * EURO
    assert BillRun.objects.get().state == BillRun.State.COMPLETED


@pytest.mark.parametrize("step", STEPS)
def test_a_run_that_is_killed_loses_and_doubles_nothing(cycle, in_a_process, step):
    scene(cycle)
    assert ended(in_a_process(step)) == -signal.SIGKILL
    assert Bill.objects.count() < 6 or step in ("after-its-bills-are-committed", "before-the-run-is-finished")
    assert ended(in_a_process("none")) == 0
    assert_everything_billed_once()
    assert Notification.objects.count() == 1


def test_two_runs_at_once_bill_everybody_once(cycle, in_a_process):
    scene(cycle)
    processes = [in_a_process("none") for _ in range(3)]
    assert [ended(process) for process in processes] == [0, 0, 0]
    assert_everything_billed_once()


@pytest.mark.mariadb_only
def test_a_file_that_is_being_loaded_during_a_run_is_billed_once_afterwards(cycle):
    (one,) = people(1)
    store([Usage(one, at(1, 5), 1 * EURO)])
    stored, go_on = threading.Event(), threading.Event()

    def load() -> None:
        try:
            with transaction.atomic():
                store([Usage(one, at(1, 6), 2 * EURO)])
                stored.set()
                go_on.wait(TIMEOUT_S)
        finally:
            connection.close()

    loader = threading.Thread(target=load)
    loader.start()
    assert stored.wait(TIMEOUT_S)
    run(cycle, month(1, cycle))
    go_on.set()
    loader.join()
    run(cycle, month(2, cycle))
    assert totals() == {"C1": [1 * EURO, 2 * EURO]}


def until(condition: Callable[[], bool], what: str, log: Callable[[], str]) -> None:
    """Wait for it; what the beat's tick does is done meanwhile."""
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline, f"not within {TIMEOUT_S} s: {what}\n{log()[-3000:]}"
        tasks.dispatch_activities()
        time.sleep(0.1)


def test_a_worker_that_is_killed_in_a_run_is_replaced_by_the_next(cycle, celery_worker_process, settings):
    settings.BILLING_RESEND_AFTER_S = 1
    settings.BILLING_CHUNK_ACCOUNTS = 1
    scene(cycle)
    few = {"BSS_BILLING_CHUNK_ACCOUNTS": "1", "BSS_BILLING_CHUNKS_IN_FLIGHT": "2"}
    activity = queue_activity(Activity.Type.FULL_BILLRUN, "1", "1", "2026", now=NOW)
    worker = celery_worker_process([cycle.queue], env=few)
    until(lambda: Bill.objects.exists(), "a first bill", lambda: worker.log)
    worker.kill()
    worker = celery_worker_process([cycle.queue], env=few)

    def finished() -> bool:
        activity.refresh_from_db()
        return activity.status == Activity.Status.COMPLETED

    until(finished, "the run to be complete", lambda: worker.log)
    assert BillRunChunk.objects.count() == 6
    assert activity.result == "6 bills, 66.00 EUR"
    assert_everything_billed_once()


def test_an_activity_is_done_on_the_queue_of_its_cycle_only(cycle, celery_worker_process):
    from apps.runtime.tasks import current_app

    people(1)
    other = make_cycle(2)
    activity = queue_activity(Activity.Type.FULL_BILLRUN, "1", "1", "2026", now=NOW)
    wrong = celery_worker_process([other.queue])
    current_app.send_task("apps.billing.tasks.run_activity", args=[activity.pk], queue=other.queue)
    deadline = time.monotonic() + TIMEOUT_S
    while "it belongs on the queue billing.bc_1" not in wrong.log:
        assert time.monotonic() < deadline, wrong.log
        time.sleep(0.1)
    activity.refresh_from_db()
    assert activity.status == Activity.Status.PENDING
    right = celery_worker_process([cycle.queue])
    until(lambda: BillRun.objects.filter(state="completed").exists(), "the run", lambda: right.log)
    assert Bill.objects.count() == 1


def test_the_command_waits_for_the_workers_and_shows_how_far_they_are(cycle, celery_worker_process):
    scene(cycle)
    celery_worker_process([cycle.queue], env={"BSS_BILLING_CHUNK_ACCOUNTS": "2"})
    out = StringIO()
    call_command("executebillcycle", "1", "--month", "1", "--year", "2026", "--wait", stdout=out)
    lines = out.getvalue().splitlines()
    assert lines[0].endswith("Full bill run 1, period of 2026-01, on billing.bc_1")
    assert lines[-2].endswith("6 of 6 accounts, 6 bills, 66.00 EUR")
    assert lines[-1] == "Full bill run 1: 6 bills, 66.00 EUR"
    assert_everything_billed_once()
