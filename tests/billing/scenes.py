"""What billing tests are played on: a cycle, accounts, and files of rated records put straight into the tables."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from django.db import transaction
from django.db.models import Sum

from apps.billing.models import Bill, BillRun
from apps.billing.services import runs
from apps.charging.models import Account, LedgerBook, LedgerEntry
from apps.charging.services.ledger import Movement, post_movements
from apps.kernel.periods import Month, Period, month_period
from apps.mediation.models import Cdr, CdrFile, RatedDestination, Source
from apps.mediation.services.batches import finish_batch, prepare_load_sequence
from apps.rating.models import PricePlan
from apps.subscribers.models import Subscriber
from tests.factories import make_plan, make_services, make_subscriber, make_tenant

EURO = 1_000_000
_numbers = itertools.count(1)


def at(month: int, day: int, hour: int = 12, *, year: int = 2026) -> datetime:
    return datetime(year, month, day, hour, tzinfo=UTC)


NEW_YEAR = at(1, 1, 0)


def month(number: int, cycle) -> Period:
    """The cycle's period that begins in a month of 2026."""
    return month_period(Month(2026, number), cycle.zone, cycle.day)


class Usage(NamedTuple):
    """A record to be stored as rated."""

    subscriber: Subscriber
    start: datetime
    cost_micros: int = EURO
    service: str = "voice"
    destination: str = "DE"
    usage: int = 60
    free: int = 0


def store(records: Iterable[Usage]) -> CdrFile:
    """A file with these records, loaded: its rows, prepaid debits and load sequence in one transaction."""
    records = list(records)
    number = next(_numbers)
    services = make_services()
    prepare_load_sequence()
    with transaction.atomic():
        source = Source.objects.get_or_create(code="TEST")[0]
        file = CdrFile.objects.create(
            name=f"{number}.cdr",
            source=source,
            content_hash=f"{number:064d}",
            state=CdrFile.State.LOADED,
            records=len(records),
            rated=len(records),
            first_start=min((record.start for record in records), default=None),
            last_start=max((record.start for record in records), default=None),
            taken_at=at(1, 1),
        )
        rows = []
        for index, record in enumerate(records):
            account = record.subscriber.payer.account
            rows.append(
                Cdr(
                    file=file,
                    source=source,
                    record_id=f"{number}-{index}",
                    account=account,
                    subscriber=record.subscriber,
                    service=services[record.service],
                    price_plan=PricePlan.objects.first(),
                    destination=RatedDestination.objects.get_or_create(tag=record.destination)[0],
                    start=record.start,
                    other_party="4930123",
                    usage=record.usage,
                    free_usage=record.free,
                    billed_usage=record.usage - record.free,
                    cost_micros=record.cost_micros,
                    raw=b"",
                )
            )
        Cdr.objects.bulk_create(rows)
        post_movements(
            [
                Movement(
                    row.account_id,
                    row.start,
                    -row.cost_micros,
                    LedgerEntry.Kind.USAGE,
                    LedgerBook.Code.REVENUE,
                    f"cdr-file:{file.pk}:{row.record_id}",
                )
                for row in rows
                if row.account.mode == Account.Mode.PREPAID and row.cost_micros
            ]
        )
        finish_batch(file)
    return file


def people(
    count: int,
    *,
    plan: PricePlan | None = None,
    start: datetime = NEW_YEAR,
    first: int = 1,
    **fields: object,
) -> list[Subscriber]:
    """Subscribers, each with an account of its own, in cycle 1 unless told otherwise."""
    make_tenant()
    plan = plan or PricePlan.objects.filter(code="PLAN").first() or make_plan("PLAN")
    return [
        make_subscriber(number, plan=plan, start=start, billing_from=start, **fields)
        for number in range(first, first + count)
    ]


def run(cycle, period: Period, now: datetime | None = None) -> BillRun:
    """A full run, its chunks worked through in this process as a worker would."""
    now = now or period.end
    begun = runs.begin_run(cycle, period, None, now)
    work_through(begun, now)
    begun.refresh_from_db()
    return begun


def work_through(begun: BillRun, now: datetime) -> None:
    for chunk_id in begun.chunks.filter(state="pending").order_by("number").values_list("pk", flat=True):
        runs.bill_chunk(chunk_id, now)
        errors = begun.chunks.filter(state="pending").exclude(error="").values_list("error", flat=True)
        assert not errors, errors


def totals() -> dict[str, list[int]]:
    """Each account's bill totals in order of their periods, in whole units if they are."""
    found: dict[str, list[int]] = {}
    for number, total in Bill.objects.order_by("account_id", "period_end").values_list(
        "account__number", "total_micros"
    ):
        found.setdefault(number, []).append(total)
    return found


def lines_add_up() -> bool:
    """Whether every bill is the sum of its lines."""
    sums = dict(Bill.objects.values_list("pk").annotate(total=Sum("lines__amount_micros")))
    return all((sums[pk] or 0) == total for pk, total in Bill.objects.values_list("pk", "total_micros"))
