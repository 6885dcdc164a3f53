"""Reads of the re-rating room: the records of a job, and its differences added up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import UTC, timedelta
from typing import Any, NamedTuple

from django.db.models import Count, F, Max, Min, Q, QuerySet, Sum
from django.db.models.functions import Abs

from apps.charging.models import Account
from apps.mediation.models import Cdr, CdrFileDay
from apps.rating.domain.runs import DEFAULT_RUN
from apps.rerating.domain.differences import StoredRecord
from apps.rerating.models import RerateAccount, RerateDifference, RerateJob

A_DAY = timedelta(days=1)
_FIELDS = (
    "pk",
    "file_id",
    "account_id",
    "subscriber_id",
    "service_id",
    "price_plan_id",
    "start",
    "other_party",
    "usage",
    "destination__tag",
    "free_usage",
    "billed_usage",
    "cost_micros",
)


def chosen(job: RerateJob) -> Q:
    """The condition that the job's records keep, their account aside."""
    # Records with a mode were only priced, or charged in real time: there is no charge to correct.
    condition = Q(run=DEFAULT_RUN, mode="", start__gte=job.start, start__lt=job.end)
    if job.price_plan_id is not None:
        condition &= Q(price_plan_id=job.price_plan_id)
    if job.destination_id is not None:
        condition &= Q(destination_id=job.destination_id)
    if job.source_id is not None:
        condition &= Q(source_id=job.source_id)
    return condition


def accounts_with_records(job: RerateJob) -> list[int]:
    """Ids of the accounts that have records of the job, in ascending order.

    Reads the table of records once, within the range of ids in which files have charges of these days.
    """
    if job.account_id is not None:
        records = Cdr.objects.filter(chosen(job), account_id=job.account_id)
        return [job.account_id] if records.exists() else []
    days = CdrFileDay.objects.filter(
        day__gte=job.start.astimezone(UTC).date(), day__lte=(job.end + A_DAY).astimezone(UTC).date()
    ).aggregate(after=Min("after_cdr"), last=Max("last_cdr"))
    records = Cdr.objects.filter(chosen(job))
    if days["after"] is not None:
        records = records.filter(pk__gt=days["after"], pk__lte=days["last"])
    found = records.order_by().values_list("account_id", flat=True).distinct()
    own = set(Account.objects.filter(tenant_id=job.tenant_id, pk__in=set(found)).values_list("pk", flat=True))
    return sorted(own)


def records_of(job: RerateJob, account_ids: Collection[int]) -> dict[int, list[StoredRecord]]:
    """The job's records by account, in the order in which they were charged.

    That is the order of their ids: a batch gives them in its order, and one subscriber's batches do not overlap.
    """
    found: dict[int, list[StoredRecord]] = defaultdict(list)
    rows = Cdr.objects.filter(chosen(job), account_id__in=account_ids).order_by("account_id", "pk")
    for row in rows.values_list(*_FIELDS).iterator(chunk_size=10_000):
        record = StoredRecord._make(row)
        found[record.account_id].append(record)
    return found


class JobTotals(NamedTuple):
    """Of a job's accounts in one currency."""

    currency: str
    accounts: int
    accounts_changed: int
    records: int
    changed: int
    refused: int
    cost_before_micros: int
    cost_after_micros: int
    adjusted_micros: int


def totals_of(job_id: int) -> list[JobTotals]:
    """The job's sums by currency."""
    rows: QuerySet[RerateAccount, Any] = (
        RerateAccount.objects.filter(job_id=job_id)
        .values(currency=F("account__currency"))
        .annotate(
            accounts=Count("pk"),
            accounts_changed=Count("pk", filter=Q(changed__gt=0)),
            **{name: Sum(name) for name in JobTotals._fields[3:]},
        )
        .order_by("currency")
    )
    return [JobTotals(*(row[name] for name in JobTotals._fields)) for row in rows]


def states_of(job_id: int) -> dict[str, int]:
    """How many accounts of the job are in which state."""
    rows = (
        RerateAccount.objects.filter(job_id=job_id)
        .order_by("state")
        .values_list("state")
        .annotate(Count("pk"))
    )
    return dict(rows)


def left_to_apply(job_id: int) -> QuerySet[RerateAccount]:
    """The job's accounts whose difference is known and not applied."""
    state = RerateAccount.State
    return RerateAccount.objects.filter(
        job_id=job_id, state__in=(state.SIMULATED, state.CHANGED, state.FAILED)
    ).exclude(digest="")


def accounts_changed(job_id: int) -> QuerySet[RerateAccount]:
    """The job's accounts that change or that are not done, the greatest difference first."""
    return (
        RerateAccount.objects.filter(job_id=job_id)
        .exclude(state=RerateAccount.State.UNCHANGED, refused=0)
        .select_related("account")
        .order_by(Abs(F("cost_after_micros") - F("cost_before_micros")).desc(), "pk")
    )


def by_destination(job_id: int) -> QuerySet[RerateDifference, Any]:
    """The job's differences by service, price plan and destination, the greatest first."""
    sums = {
        name: Sum(name) for name in ("free_before", "free_after", "billed_before", "billed_after", "records")
    }
    return (
        RerateDifference.objects.filter(row__job_id=job_id)
        .values(
            "destination",
            service_name=F("service__name"),
            type_of_record=F("service__type_of_record"),
            plan_name=F("price_plan__name"),
            currency=F("row__account__currency"),
        )
        .annotate(
            **sums,
            before_micros=Sum("cost_before_micros"),
            after_micros=Sum("cost_after_micros"),
            added_micros=Sum(F("cost_after_micros") - F("cost_before_micros")),
        )
        .order_by(Abs("added_micros").desc(), "destination", "service_name", "plan_name")
    )
