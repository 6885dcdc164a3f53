"""A what-if over the records of a month against the Rater alone for the same usage, both on every core.

The Rater's time is that of ``Rater.rate`` over usage that lies ready in memory, shared out to a process a core. The
what-if is the product's own: it reads records, gives free units back and takes them in their order (one account in
five has free units), adds up by group and account, and stores the sums.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import random
import time
from collections.abc import Iterator

from benchmarks.bench_billrun import END, START, TRAFFIC
from benchmarks.customers import insert_customers
from benchmarks.protocol import Measurement, Setup

TITLE = "What-if, 1 million records of 50,000 accounts"
DATABASES = ("mariadb", "sqlite")

ACCOUNTS = 50_000
RECORDS = 1_000_000
NUMBERS_AN_ACCOUNT = 6
WITH_FREE_UNITS = 5


def main(setup: Setup) -> list[Measurement]:
    from django.db import connections

    from apps.rating.selectors import rater_as_of

    accounts, records = setup.scaled(ACCOUNTS, 100), setup.scaled(RECORDS, 2_000)
    workers = len(os.sched_getaffinity(0))
    setup.progress(f"{accounts:,} accounts, {records:,} records, {workers} workers")
    _load_tariff()
    version_id = _make_accounts(accounts)
    total = _make_records(accounts, records)
    # A worker keeps its Rater for as long as the tariff lasts: compiling it is in neither figure.
    rater_as_of(version_id)
    gc.collect()
    gc.freeze()
    # A connection must not be shared with a child.
    connections.close_all()
    fork = multiprocessing.get_context("fork")
    alone = max(fork.Pool(workers).starmap(_rate_alone, [(version_id, n, workers) for n in range(workers)]))
    setup.progress(f"the Rater alone: {alone:.2f} s")
    what_if_id = _begin(version_id)
    connections.close_all()
    with setup.measure() as timing, fork.Pool(workers) as pool:
        pool.map(_work, [what_if_id] * workers, chunksize=1)
    setup.progress(f"the what-if: {timing.seconds:.2f} s")
    _check(what_if_id, records, total)
    return [
        Measurement(
            f"{workers} workers",
            timing.seconds,
            "s",
            timing.peak_mb,
            against="the Rater alone, s",
            baseline=alone,
            ratio_at_most=1.5,
            note=f"{records / timing.seconds:,.0f} records/s",
        )
    ]


def _load_tariff() -> None:
    from apps.rating.domain.numbering import world_destinations
    from apps.rating.domain.standard_tariff import standard_tariff
    from apps.rating.domain.tariff_files import read_tariff_files
    from apps.rating.services.standard_services import ensure_standard_services
    from apps.rating.services.tariff_loading import load_tariff_plan

    ensure_standard_services()
    files = standard_tariff(
        world_destinations(), tenant="default", home="DE", activation="2020-01-01T00:00:00Z"
    )
    tables = {name: text.encode() for name, text in files.items()}
    load_tariff_plan(read_tariff_files(tables, plan_code="*shared"), START)


def _make_accounts(count: int) -> int:
    """Customers with a line each; the plan of one in five grants minutes. The tariff version with these plans."""
    from django.db import transaction

    from apps.rating.models import PricePlan, PricePlanService, Service, Tenant
    from apps.rating.services.publishing import publish

    tenant = Tenant.objects.get(code="default")
    plans = [
        PricePlan.objects.create(tenant=tenant, code=code, name=code, rating_subject="*any")
        for code in ("PLAIN", "MINUTES")
    ]
    services = {service.code: service for service in Service.objects.all()}
    for plan in plans:
        PricePlanService.objects.create(price_plan=plan, service=services["mms"], price_micros=390_000)
    PricePlanService.objects.create(price_plan=plans[1], service=services["voice"], free_units=10)
    version_id = publish(START).version_id
    with transaction.atomic():
        insert_customers(count, tenant.pk, START, lambda pk: plans[pk % WITH_FREE_UNITS == 0].pk)
    return version_id


def _make_records(accounts: int, records: int) -> int:
    """Rows of rated records in the order of their time, as loaders leave them; the sum of their costs."""
    from apps.mediation.models import Cdr, CdrFile, RatedDestination, Source
    from apps.rating.domain.numbering import world_destinations
    from apps.rating.models import PricePlan, Service
    from apps.storage.bulk import database_instant, insert_in_batches

    source = Source.objects.create(code="BENCH")
    file = CdrFile.objects.create(
        name="all", content_hash="0" * 64, state="loaded", taken_at=START, load_sequence=1
    )
    RatedDestination.objects.bulk_create([RatedDestination(tag=f"D{n}") for n in range(400)])
    destinations = list(RatedDestination.objects.values_list("pk", flat=True))
    services = dict(Service.objects.values_list("code", "pk"))
    plain, minutes = (PricePlan.objects.get(code=code).pk for code in ("PLAIN", "MINUTES"))
    chance = random.Random(1)
    prefixes = [known.prefix for known in world_destinations()]
    home = [prefix for prefix in prefixes if prefix.startswith("49")]
    kinds = [kind for kind in TRAFFIC for _ in range(kind[1])]
    step = (END - START) / records
    total = 0

    def rows() -> Iterator[tuple[object, ...]]:
        nonlocal total
        for index in range(records):
            account = chance.randrange(accounts) + 1
            service = kinds[chance.randrange(len(kinds))][0]
            # Three in four of an account's own numbers are at home.
            own = random.Random(account * 100 + chance.randrange(NUMBERS_AN_ACCOUNT))
            number = own.choice(home if own.random() < 0.75 else prefixes) + str(own.randrange(10**6))
            usage, cost = chance.randrange(1, 600), chance.randrange(0, 500_000)
            total += cost
            yield (
                file.pk,
                source.pk,
                str(index),
                account,
                account,
                services[service],
                plain if account % WITH_FREE_UNITS else minutes,
                destinations[account % 400],
                database_instant((START + step * index).replace(microsecond=0)),
                "internet" if service == "data" else number,
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


def _rate_alone(version_id: int, place: int, workers: int) -> float:
    """Seconds that the Rater takes for a worker's share of the records."""
    from apps.mediation.models import Cdr
    from apps.rating.domain import Usage, plan_subject
    from apps.rating.selectors import rater_as_of

    rate = rater_as_of(version_id).rater.rate
    rows = Cdr.objects.order_by("account_id", "pk").values_list(
        "account_id", "service__category", "price_plan__code", "service__type_of_record", "other_party",
        "start", "usage",
    )  # fmt: skip
    usages = [
        Usage("default", category, plan_subject(plan), tor, other_party, start, usage)
        for account, category, plan, tor, other_party, start, usage in rows.iterator(chunk_size=20_000)
        if account % workers == place
    ]
    began = time.perf_counter()
    for usage in usages:
        rate(usage)
    return time.perf_counter() - began


def _begin(version_id: int) -> int:
    from apps.insight.services.what_if import begin_what_if
    from apps.rating.models import Tenant

    tenant = Tenant.objects.get(code="default")
    return begin_what_if(tenant, START, END, now=END, by="bench", version_id=version_id).pk


def _work(what_if_id: int) -> None:
    from apps.insight.services.what_if import work
    from apps.kernel.clock import utc_now

    work(what_if_id, utc_now)


def _check(what_if_id: int, records: int, total: int) -> None:
    from django.db.models import Sum

    from apps.insight.models import WhatIf, WhatIfGroup

    found = WhatIfGroup.objects.filter(shard__what_if=what_if_id).aggregate(
        records=Sum("records"), refused=Sum("refused"), before=Sum("before_micros"), free=Sum("free_after")
    )
    if WhatIf.objects.get(pk=what_if_id).state != "done":
        raise AssertionError(f"the what-if is {WhatIf.objects.get(pk=what_if_id).message}")
    if (found["records"], found["refused"], found["before"]) != (records, 0, total) or not found["free"]:
        raise AssertionError(f"{found}, not {records} records of {total}")
