"""Re-ratings beside loaders and bill runs, and subscribers whose payer changed: nothing counts twice or is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from django.db import connection, transaction

from apps.billing.models import Bill, OneOffCharge
from apps.charging.models import Account, AllowanceCounter, Payer
from apps.mediation.models import Cdr
from apps.rating.models import PricePlanService
from apps.rating.selectors.tariffs import look_again
from apps.rating.services.publishing import publish
from apps.rerating.models import RerateAccount, RerateJob
from apps.rerating.services import jobs
from tests.billing.scenes import month, run
from tests.factories import make_cycle
from tests.rerating.scenes import (
    NOW,
    applied,
    correct_price,
    job_of,
    load_calls,
    make_operator,
    numbers,
    reversed_,
    sums_agree,
)

TIMEOUT_S = 60
Rows = RerateAccount.State


def while_uncommitted(work: Callable[[], object], meanwhile: Callable[[], object]) -> None:
    """Do ``work`` in a transaction of another thread, which commits a moment after ``meanwhile`` has begun."""
    done, go_on = threading.Event(), threading.Event()

    def other() -> None:
        try:
            with transaction.atomic():
                work()
                done.set()
                go_on.wait(TIMEOUT_S)
        finally:
            done.set()
            connection.close()

    thread = threading.Thread(target=other)
    thread.start()
    assert done.wait(TIMEOUT_S)
    threading.Timer(1.0, go_on.set).start()
    meanwhile()
    thread.join()


@pytest.mark.django_db(transaction=True)
@pytest.mark.mariadb_only
def test_records_that_are_being_loaded_are_seen_before_anything_moves():
    make_operator("postpaid", free_minutes=2)
    load_calls({"day": 3, "duration_s": 120}, {"day": 4, "duration_s": 60})
    correct_price(60_000)
    job = job_of()
    correct_price(90_000)
    jobs.apply_job(job.pk, now=NOW, by="peter")
    while_uncommitted(lambda: load_calls({"day": 5}), lambda: jobs.work(job.pk, lambda: NOW))
    row = job.account_rows.get()
    assert (row.state, row.records, row.changed) == (Rows.CHANGED, 3, 2)
    assert sums_agree()
    job.refresh_from_db()
    applied(job)
    assert list(Cdr.objects.order_by("start").values_list("cost_micros", flat=True)) == [0, 60_000, 60_000]
    assert sums_agree()


@pytest.mark.django_db(transaction=True)
@pytest.mark.mariadb_only
def test_what_a_run_is_billing_meanwhile_is_adjusted():
    make_operator("postpaid")
    cycle = make_cycle(1)
    load_calls({"duration_s": 600})
    correct_price(60_000)
    job = job_of()
    jobs.apply_job(job.pk, now=NOW, by="peter")
    while_uncommitted(lambda: run(cycle, month(3, cycle)), lambda: jobs.work(job.pk, lambda: NOW))
    assert RerateJob.objects.get().state == "applied"
    assert Bill.objects.get().usage_micros == 900_000
    assert OneOffCharge.objects.get().amount_micros == -300_000


@pytest.mark.django_db
def test_two_accounts_that_paid_for_one_subscriber_share_its_free_units():
    make_operator("postpaid", "prepaid", free_minutes=1)
    load_calls({"day": 3, "duration_s": 120})
    Payer.objects.filter(subscriber__number="S1").update(account=Account.objects.get(number="C2"))
    load_calls({"day": 5, "duration_s": 120})
    before = numbers()
    PricePlanService.objects.filter(service__code="voice").update(free_units=3)
    publish(NOW)
    look_again()
    job = job_of()
    assert job.accounts == 2
    job = applied(job)
    while job.account_rows.filter(state=Rows.CHANGED).exists():
        job = applied(job)
    used = Cdr.objects.order_by("start").values_list("account__number", "free_usage", "cost_micros")
    assert list(used) == [("C1", 120, 0), ("C2", 60, 90_000)]
    assert AllowanceCounter.objects.get().used == 180
    assert sums_agree()
    reversed_(job)
    assert numbers() == before
