"""Workers on a re-rating that are killed at every step, and several at once: the same numbers in the end."""

from __future__ import annotations

import os
import signal

import pytest

from apps.billing.models import OneOffCharge
from apps.charging.models import LedgerEntry
from apps.rating.models import Tenant
from apps.rerating.models import RerateJob
from apps.rerating.services import jobs
from tests import python_processes
from tests.billing.scenes import month, run
from tests.factories import make_cycle
from tests.rerating.run_in_a_process import APPLYING, REVERSING, SIMULATING
from tests.rerating.scenes import (
    APRIL,
    MARCH,
    NOW,
    applied,
    correct_price,
    job_of,
    load_calls,
    make_operator,
    numbers,
    sums_agree,
)

pytestmark = pytest.mark.django_db(transaction=True)
TIMEOUT_S = 120
State = RerateJob.State


@pytest.fixture
def in_a_process(database_url):
    def start(job: RerateJob, step: str = "none") -> python_processes.Process:
        return python_processes.start(
            ["-m", "tests.rerating.run_in_a_process", str(job.pk), step],
            env={
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "bss_project.settings",
                "DATABASE_URL": database_url,
            },
        )

    return start


def ended(process: python_processes.Process) -> int:
    output, _ = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode in (0, -signal.SIGKILL), output
    return process.returncode


def scene() -> None:
    """Four accounts whose March is billed, with calls of April that are not, at a wrong price."""
    make_operator("postpaid", "prepaid", "postpaid", "prepaid", free_minutes=1)
    load_calls(*({"by": by, "day": day, "duration_s": 90} for by in (1, 2, 3, 4) for day in (5, 20)))
    cycle = make_cycle(1)
    run(cycle, month(3, cycle))
    load_calls(*({"by": by, "day": 25, "duration_s": 60} for by in (1, 2, 3, 4)))
    correct_price(60_000)


def made() -> RerateJob:
    return jobs.make_job(Tenant.objects.get(), MARCH, APRIL, now=NOW, by="mary")


def assert_applied_once() -> None:
    # A call of March is 0.06 cheaper and one 0.03, on a bill or taken from the balance; the last one is on no bill yet.
    assert sorted(OneOffCharge.objects.values_list("amount_micros", flat=True)) == [-90_000, -90_000]
    moved = LedgerEntry.objects.filter(cause__startswith="rerate:").values_list("amount_micros", flat=True)
    assert sorted(moved) == [30_000, 30_000, 30_000, 30_000, 60_000, 60_000]
    assert sums_agree()


@pytest.mark.parametrize("step", SIMULATING)
def test_a_simulation_that_is_killed_shows_the_same(in_a_process, step):
    scene()
    job = made()
    assert ended(in_a_process(job, step)) == -signal.SIGKILL
    assert ended(in_a_process(job)) == 0
    job.refresh_from_db()
    assert job.state == State.SIMULATED
    rows = job.account_rows.values_list("cost_before_micros", "cost_after_micros")
    assert list(rows) == [(360_000, 240_000)] * 4


@pytest.mark.parametrize("step", APPLYING)
def test_what_is_killed_while_it_is_applied_is_applied_once(in_a_process, step):
    scene()
    job = job_of()
    jobs.apply_job(job.pk, now=NOW, by="peter")
    assert ended(in_a_process(job, step)) == -signal.SIGKILL
    assert ended(in_a_process(job)) == 0
    job.refresh_from_db()
    assert job.state == State.APPLIED
    assert_applied_once()


@pytest.mark.parametrize("step", REVERSING)
def test_what_is_killed_while_it_is_reversed_restores_every_number(in_a_process, step):
    scene()
    before = numbers()
    job = applied(job_of())
    jobs.reverse_job(job.pk, now=NOW, by="peter")
    assert ended(in_a_process(job, step)) == -signal.SIGKILL
    assert ended(in_a_process(job)) == 0
    job.refresh_from_db()
    assert job.state == State.REVERSED
    assert numbers() == before
    assert sums_agree()


def test_several_workers_at_once_apply_and_reverse_everything_once(in_a_process):
    scene()
    before = numbers()
    job = job_of()
    jobs.apply_job(job.pk, now=NOW, by="peter")
    assert [ended(one) for one in [in_a_process(job) for _ in range(3)]] == [0, 0, 0]
    job.refresh_from_db()
    assert job.state == State.APPLIED
    assert_applied_once()
    jobs.reverse_job(job.pk, now=NOW, by="peter")
    assert [ended(one) for one in [in_a_process(job) for _ in range(3)]] == [0, 0, 0]
    job.refresh_from_db()
    assert job.state == State.REVERSED
    assert numbers() == before
