"""Re-rating against the Rater alone: a month's records simulated, applied and reversed by one worker.

Twenty records an account; every price is another, which is the most that there can be to write. The Rater alone prices
the same records, read into memory before.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from benchmarks.bench_billrun import END, START, make_accounts, make_records
from benchmarks.protocol import Measurement, Setup

if TYPE_CHECKING:
    from apps.rating.domain import Usage

TITLE = "Re-rating, 10,000 accounts, 200,000 records"
DATABASES = ("mariadb", "sqlite")

ACCOUNTS = 10_000
RECORDS = 200_000
NOW = END + timedelta(days=1)


def main(setup: Setup) -> list[Measurement]:
    from apps.rating.selectors import current_tariff
    from apps.rerating.services import jobs

    accounts, records = setup.scaled(ACCOUNTS, 100), setup.scaled(RECORDS, 2_000)
    setup.progress(f"{accounts:,} accounts and {records:,} records")
    make_accounts(accounts)
    before_micros = make_records(accounts, records)
    _price()
    usages, rate = _usages(), current_tariff().rater.rate
    with setup.measure() as alone:
        cost_micros = sum([rate(usage).cost_micros for usage in usages])
    del usages
    setup.progress(f"the Rater alone: {alone.rate(records):,.0f} records/s")
    job_id = _make_job()
    found = []
    for name, begin, expected in (
        ("simulated", lambda: None, before_micros),
        ("applied", lambda: jobs.apply_job(job_id, now=NOW, by="bench"), cost_micros),
        ("reversed", lambda: jobs.reverse_job(job_id, now=NOW, by="bench"), before_micros),
    ):
        with setup.measure() as timing:
            begin()
            jobs.work(job_id, lambda: NOW)
        _check(job_id, name, accounts, expected)
        setup.progress(f"{name}: {timing.rate(records):,.0f} records/s")
        found.append(
            Measurement(
                name,
                timing.rate(records),
                "records/s",
                timing.peak_mb,
                against="the Rater alone",
                baseline=alone.rate(records),
            )
        )
    return found


def _price() -> None:
    """Prices of every service on the plan that the records were charged on."""
    from apps.rating.models import PricePlan, PricePlanService, Service
    from apps.rating.services.publishing import publish

    plan = PricePlan.objects.get()
    for service in Service.objects.all():
        PricePlanService.objects.create(price_plan=plan, service=service, price_micros=90_000)
    publish(NOW)


def _make_job() -> int:
    from apps.rating.models import Tenant
    from apps.rerating.services import jobs

    return jobs.make_job(Tenant.objects.get(), START, END, now=NOW, by="bench").pk


def _usages() -> list[Usage]:
    """The records as the Rater takes them."""
    from apps.mediation.models import Cdr
    from apps.rating.domain import Usage, plan_subject

    return [
        Usage("default", category, plan_subject("P"), kind, other_party, start, usage)
        for category, kind, other_party, start, usage in Cdr.objects.values_list(
            "service__category", "service__type_of_record", "other_party", "start", "usage"
        )
    ]


def _check(job_id: int, state: str, accounts: int, cost_micros: int) -> None:
    from django.db.models import Sum

    from apps.mediation.models import Cdr
    from apps.rerating.models import RerateAccount, RerateJob

    job = RerateJob.objects.get(pk=job_id)
    done = RerateAccount.objects.filter(job=job, state=state).count()
    cost = Cdr.objects.aggregate(cost=Sum("cost_micros"))["cost"]
    if (job.state, done, cost) != (state, job.accounts, cost_micros) or job.accounts > accounts:
        raise AssertionError(
            f"{job} is {job.state}, {done} of {job.accounts} accounts, {cost} for {cost_micros}"
        )
