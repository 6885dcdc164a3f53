"""A full bill run of one cycle against the bare aggregate query over the same records.

The run is the product's own: chunks of accounts, worked through by one process, and on MariaDB by four side by side,
as workers of the cycle's queue do. The records are put straight into the tables: 20 an account on average, over a
month, in the order of their time as loaders leave them.
"""

from __future__ import annotations

import multiprocessing
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from benchmarks.customers import insert_customers
from benchmarks.protocol import Measurement, Setup

TITLE = "Full bill run, 100,000 accounts, 2 million records"
DATABASES = ("mariadb", "sqlite")

ACCOUNTS = 100_000
RECORDS = 2_000_000
RECORDS_A_FILE = 10_000
DESTINATIONS = 400
START = datetime(2026, 1, 1, tzinfo=UTC)
END = datetime(2026, 2, 1, tzinfo=UTC)
# Of a hundred records: how many are of a service, and over how many usual destinations an account spreads them.
TRAFFIC = (("voice", 45, 4), ("sms", 20, 2), ("data", 34, 1), ("mms", 1, 1))


def main(setup: Setup) -> list[Measurement]:
    accounts, records = setup.scaled(ACCOUNTS, 100), setup.scaled(RECORDS, 2_000)
    setup.progress(f"{accounts:,} accounts and {records:,} records")
    make_accounts(accounts)
    cost_micros = make_records(accounts, records)
    with setup.measure() as bare:
        groups = _bare_aggregate()
    setup.progress(f"bare aggregate: {bare.seconds:.1f} s, {groups:,} groups")
    measurements = []
    crews = [(1, "one worker")]
    if setup.database == "mariadb":
        # SQLite has one writer at a time; there a second worker would only wait.
        crews.append((4, "four workers"))
    for workers, name in crews:
        with setup.measure() as timing:
            _run(workers)
        setup.progress(f"bill run, {name}: {timing.seconds:.1f} s")
        _check(accounts, records, groups, cost_micros)
        _forget()
        measurements.append(
            Measurement(
                name,
                timing.seconds,
                "s",
                timing.peak_mb,
                against="bare aggregate, s",
                baseline=bare.seconds,
                ratio_at_most=4.0 if workers == crews[-1][0] else None,
                note=f"{groups:,} usage lines",
            )
        )
    return measurements


def make_accounts(count: int) -> None:
    from django.db import transaction

    from apps.billing.models import BillCycle, BillingAccount, Discount, TaxRule
    from apps.rating.models import PricePlan, Tenant
    from apps.rating.services.standard_services import ensure_standard_services
    from apps.storage.bulk import database_instant, insert_in_batches

    tenant, _ = Tenant.objects.get_or_create(code="default")
    ensure_standard_services()
    plan = PricePlan.objects.create(tenant=tenant, code="P", name="Plan", monthly_fee_micros=9_990_000)
    cycle = BillCycle.objects.create(number=1, tenant=tenant, day=1)
    TaxRule.objects.create(tenant=tenant, name="VAT", rate_millionths=190_000, valid_from=START.date())
    opened = database_instant(START - timedelta(days=400))
    start = database_instant(START)
    ids = range(1, count + 1)
    with transaction.atomic():
        insert_customers(count, tenant.pk, START, lambda pk: plan.pk)
        # Billed until the month began, as in any month but the first.
        insert_in_batches(
            BillingAccount._meta.db_table,
            ("account_id", "cycle_id", "billed_until", "billed_sequence", "billed_ledger_entry"),
            ((pk, cycle.pk, start, 1, 0) for pk in ids),
        )
        insert_in_batches(
            Discount._meta.db_table,
            ("account_id", "description", "scope", "rate_millionths", "start"),
            ((pk, "Loyalty", "all", 50_000, opened) for pk in ids if pk % 10 == 0),
        )


def make_records(accounts: int, records: int) -> int:
    """Rows of rated records in files of their own; the sum of their costs."""
    from apps.mediation.models import Cdr, CdrFile, RatedDestination, Source
    from apps.rating.models import PricePlan, Service
    from apps.storage.bulk import database_instant, insert_in_batches

    source = Source.objects.create(code="BENCH")
    RatedDestination.objects.bulk_create(
        [RatedDestination(tag=f"D{number}") for number in range(DESTINATIONS)]
    )
    destinations = list(RatedDestination.objects.order_by("pk").values_list("pk", flat=True))
    services = dict(Service.objects.values_list("code", "pk"))
    plan_id = PricePlan.objects.get().pk
    files = -(-records // RECORDS_A_FILE)
    step = (END - START) / records
    CdrFile.objects.create(
        name="former", content_hash="0" * 64, state="loaded", taken_at=START, load_sequence=1,
        first_start=START - timedelta(days=30), last_start=START - timedelta(seconds=1),
    )  # fmt: skip
    CdrFile.objects.bulk_create(
        [
            CdrFile(
                name=f"{number}.cdr",
                content_hash=f"{number:064d}",
                state="loaded",
                taken_at=START,
                load_sequence=number + 1,
                first_start=START + step * ((number - 1) * RECORDS_A_FILE),
                last_start=START + step * (number * RECORDS_A_FILE),
            )
            for number in range(1, files + 1)
        ],
        batch_size=500,
    )
    file_ids = list(
        CdrFile.objects.filter(load_sequence__gt=1).order_by("load_sequence").values_list("pk", flat=True)
    )
    chance = random.Random(1)
    kinds = [kind for kind in TRAFFIC for _ in range(kind[1])]
    total = 0

    def rows() -> Iterator[tuple[object, ...]]:
        nonlocal total
        for index in range(records):
            account = chance.randrange(accounts) + 1
            service, _, spread = kinds[chance.randrange(len(kinds))]
            # Most go to an account's own few destinations.
            destination = destinations[(account * 7 + chance.randrange(spread) * 31) % DESTINATIONS]
            usage, cost = chance.randrange(1, 600), chance.randrange(0, 500_000)
            total += cost
            yield (
                file_ids[index // RECORDS_A_FILE],
                source.pk,
                str(index),
                account,
                account,
                services[service],
                plan_id,
                destination,
                database_instant((START + step * index).replace(microsecond=0)),
                "4915550000000",
                usage,
                0,
                usage,
                cost,
                "\x08\x01",
            )

    insert_in_batches(
        Cdr._meta.db_table,
        ("file_id", "source_id", "record_id", "account_id", "subscriber_id", "service_id", "price_plan_id",
         "destination_id", "start", "other_party", "usage", "free_usage", "billed_usage", "cost_micros", "raw"),
        rows(),
        batch=50_000,
    )  # fmt: skip
    return total


def _bare_aggregate() -> int:
    """What any billing has to ask at least; fetched, since the answer is needed."""
    from django.db import connection

    usage = connection.ops.quote_name("usage")
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT account_id, subscriber_id, service_id, destination_id, COUNT(*), SUM({usage}), SUM(free_usage), "
            "SUM(cost_micros) FROM mediation_cdr GROUP BY account_id, subscriber_id, service_id, destination_id"
        )
        return len(cursor.fetchall())


def _run(workers: int) -> None:
    from django.db import connections

    from apps.billing.models import BillCycle, BillRun
    from apps.billing.services import runs
    from apps.kernel.periods import Period

    cycle = BillCycle.objects.get(number=1)
    run = runs.begin_run(cycle, Period(START, END), None, END)
    chunks = list(run.chunks.order_by("number").values_list("pk", flat=True))
    if workers == 1:
        for chunk_id in chunks:
            runs.bill_chunk(chunk_id, END)
    else:
        # A connection must not be shared with a child.
        connections.close_all()
        with multiprocessing.get_context("fork").Pool(workers) as pool:
            pool.map(_bill_chunk, chunks, chunksize=1)
    run.refresh_from_db()
    if run.state != BillRun.State.COMPLETED:
        errors = list(run.chunks.exclude(error="").values_list("error", flat=True)[:3])
        raise AssertionError(f"the run is {run.state}: {errors or run.error}")


def _bill_chunk(chunk_id: int) -> None:
    from apps.billing.services import runs

    runs.bill_chunk(chunk_id, END)


def _forget() -> None:
    """As if the run had not been."""
    from django.db import connection

    with connection.cursor() as cursor:
        for table in ("billline", "bill", "notification", "billrunchunk", "billrun"):
            cursor.execute(f"DELETE FROM billing_{table}")
        cursor.execute(
            f"UPDATE billing_billingaccount SET billed_until = '{START:%Y-%m-%d %H:%M:%S}', billed_sequence = 1"
        )


def _check(accounts: int, records: int, groups: int, cost_micros: int) -> None:
    from django.db.models import Sum

    from apps.billing.models import Bill, BillLine

    lines = BillLine.objects.filter(kind="usage")
    found = (
        Bill.objects.count(),
        lines.count(),
        lines.aggregate(records=Sum("records"))["records"],
        lines.aggregate(cost=Sum("exact_micros"))["cost"],
    )
    if found != (accounts, groups, records, cost_micros):
        raise AssertionError(
            f"bills, lines, records, cost are {found}, not {(accounts, groups, records, cost_micros)}"
        )
