"""What re-ratings are played on: calls loaded at one price, the price corrected, and every number there is."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any

from django.db.models import F, Sum

from apps.billing.models import Bill, OneOffCharge
from apps.charging.models import AllowanceCounter, Balance, LedgerEntry
from apps.charging.services.audit import differences
from apps.insight.models import MoneyDay, UsageDay
from apps.insight.services.collecting import collect_statistics
from apps.mediation.models import Cdr, CdrFile, CdrFileDay
from apps.mediation.services.load_file import load_file
from apps.rating.models import PricePlanService, Tenant
from apps.rating.selectors.tariffs import look_again
from apps.rating.services.publishing import publish
from apps.rerating.models import RerateJob
from apps.rerating.services import jobs
from tests.factories import make_plan, make_subscriber
from tests.mediation.samples import cdr, new_file, stream

MARCH, APRIL, MAY = (datetime(2026, month, 1, tzinfo=UTC) for month in (3, 4, 5))
NOW = datetime(2026, 4, 2, tzinfo=UTC)
MINUTE = 90_000
_files = itertools.count(1)


def make_operator(*modes: str, free_minutes: int = 0) -> None:
    """Subscribers 1, 2, … of these modes on a plan of 0.09 a minute."""
    plan = make_plan(voice=(MINUTE, free_minutes), sms=(90_000, 0))
    for number, mode in enumerate(modes, 1):
        make_subscriber(number, plan=plan, mode=mode, billing_from=MARCH, opening_balance_micros=0)
    publish(MARCH)
    look_again()


def load_calls(*calls: dict[str, Any]) -> CdrFile:
    """A file of calls: ``by`` is the subscriber's number, ``day`` that of March; fields of the message besides."""
    number = next(_files)
    records = []
    for index, fields in enumerate(calls):
        start = datetime(2026, 3, fields.pop("day", 10), 8, fields.pop("minute", index % 60), tzinfo=UTC)
        by = fields.pop("by", 1)
        records.append(
            cdr(
                number * 1_000 + index, msisdn=str(4915550000000 + by), start=int(start.timestamp()), **fields
            )
        )
    load_file(new_file(stream(records), f"{number}.cdr"), now=NOW)
    return CdrFile.objects.latest("pk")


def correct_price(micros: int) -> None:
    """A minute costs so much from now on."""
    PricePlanService.objects.filter(service__code="voice").update(price_micros=micros)
    publish(NOW)
    look_again()


def job_of(**fields: Any) -> RerateJob:
    """A job for March, simulated."""
    values = {"now": NOW, "by": "mary", **fields}
    job = jobs.make_job(Tenant.objects.get(code="default"), MARCH, APRIL, **values)
    return worked(job)


def worked(job: RerateJob) -> RerateJob:
    """The job after workers have done all that its state asks for."""
    jobs.work(job.pk, lambda: NOW)
    job.refresh_from_db()
    return job


def applied(job: RerateJob, by: str = "peter") -> RerateJob:
    jobs.apply_job(job.pk, now=NOW, by=by)
    return worked(job)


def reversed_(job: RerateJob, by: str = "peter") -> RerateJob:
    jobs.reverse_job(job.pk, now=NOW, by=by)
    return worked(job)


def counted() -> None:
    collect_statistics(NOW, at_once=True)


def numbers() -> dict[str, list[Any]]:
    """Every figure that a re-rating may move."""
    counted()
    rows: dict[str, Any] = {
        "records": Cdr.objects.order_by("pk").values_list(
            "pk", "destination__tag", "free_usage", "billed_usage", "cost_micros"
        ),
        "files": CdrFile.objects.order_by("pk").values_list("pk", "cost_micros"),
        "days of files": CdrFileDay.objects.order_by("pk").values_list("pk", "cost_micros"),
        "free units": AllowanceCounter.objects.exclude(used=0)
        .order_by("subscriber_id", "year", "month", "origin")
        .values_list("subscriber_id", "year", "month", "origin", "used"),
        "balances": Balance.objects.exclude(amount_micros=0)
        .order_by("pk")
        .values_list("pk", "amount_micros"),
        "charges of the next bills": OneOffCharge.objects.filter(bill=None)
        .order_by("account_id", "service_id")
        .values_list("account_id", "service_id", "amount_micros"),
        "bills": Bill.objects.order_by("pk").values_list("pk", "total_micros"),
        "statistics": UsageDay.objects.order_by("day", "service_id", "price_plan_id").values_list(
            "day", "service_id", "records", "usage", "free_usage", "billed_usage", "revenue_micros"
        ),
        "money by day": MoneyDay.objects.exclude(amount_micros=0)
        .order_by("day", "kind")
        .values_list("day", "kind", "amount_micros"),
    }
    return {name: list(found) for name, found in rows.items()}


def sums_agree() -> bool:
    """Whether everything that is added up from records agrees with them, and the audit finds nothing."""
    counted()
    cost = Cdr.objects.aggregate(cost=Sum("cost_micros"))["cost"] or 0
    free = Cdr.objects.aggregate(free=Sum("free_usage"))["free"] or 0
    prepaid = Cdr.objects.filter(account__mode="prepaid").aggregate(cost=Sum("cost_micros"))["cost"] or 0
    found = {
        "files": CdrFile.objects.aggregate(cost=Sum("cost_micros"))["cost"] or 0,
        "days of files": CdrFileDay.objects.aggregate(cost=Sum("cost_micros"))["cost"] or 0,
        "statistics": UsageDay.objects.aggregate(cost=Sum("revenue_micros"))["cost"] or 0,
    }
    assert found == dict.fromkeys(found, cost)
    used = AllowanceCounter.objects.aggregate(used=Sum(F("used") - F("used_online")))["used"] or 0
    assert used == free
    debited = LedgerEntry.objects.filter(kind=LedgerEntry.Kind.USAGE).aggregate(paid=Sum("amount_micros"))[
        "paid"
    ]
    assert -(debited or 0) == prepaid
    assert list(differences()) == []
    return True
