"""loadcdrs rows a second with one loader, against the bare insertion of the very same rows; peak memory beside it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import connections, transaction

from apps.billing.domain.onboarding import NewLine
from apps.billing.models import BillCycle
from apps.billing.services.onboarding import onboard
from apps.kernel.clock import utc_now
from apps.mediation.models import Cdr, CdrFile
from apps.mediation.services.cdr_writer import CDR_COLUMNS, CDR_TABLE
from apps.mediation.services.generate_files import Wanted, generate_files, subscriber_lines
from apps.mediation.services.intake import files_meant_by, load_files
from apps.mediation.services.load_file import Outcome
from apps.rating.models import PricePlan, PricePlanService, Tenant
from apps.rating.services.publishing import publish
from apps.rating.services.standard_services import ensure_standard_services
from apps.storage.bulk import load_tab_separated
from benchmarks.protocol import Measurement, Setup, Timing

TITLE = "Loading CDR files (rate and store)"
DATABASES = ("mariadb", "sqlite")

RECORDS = 500_000
RECORDS_A_FILE = 100_000
SUBSCRIBERS = 10_000
CHUNK = 10_000
PROMISE = 0.6
START = datetime(2026, 10, 1, tzinfo=UTC)
# code, {service: (price a unit or None for the tariff's, free units)}: half pay flat prices, half by destination, some
# with free units.
PLANS: tuple[tuple[str, dict[str, tuple[int | None, int]]], ...] = (
    ("FLAT", {"voice": (90_000, 0), "sms": (90_000, 0), "data": (10_000, 0), "mms": (390_000, 0)}),
    (
        "FLAT_FREE",
        {"voice": (90_000, 100), "sms": (90_000, 50), "data": (10_000, 2_048), "mms": (390_000, 0)},
    ),
    ("WORLD", {"voice": (None, 0), "sms": (None, 0), "data": (None, 0), "mms": (None, 0)}),
    ("WORLD_FREE", {"voice": (None, 60), "sms": (None, 20), "data": (None, 1_024), "mms": (None, 0)}),
)


def main(setup: Setup) -> list[Measurement]:
    count = setup.scaled(RECORDS, at_least=10_000)
    setup.progress("making an operator, its tariff and its files")
    make_operator(setup.scaled(SUBSCRIBERS, at_least=100))
    make_files(count)
    setup.progress(f"loading {count:,} records, and inserting the rows of each file bare after it")
    files = files_meant_by([settings.CDR_NEW_DIR])
    make_bare_table()
    loading, bare, last = Timing(), Timing(), 0
    outcomes = iter(load_files(files, utc_now))
    rated = 0
    for _ in files:
        with setup.measure() as timing:
            outcome = next(outcomes)
        assert outcome.outcome is Outcome.LOADED, outcome
        rated += outcome.totals.rated
        loading.add(timing)
        # Both take turns, so that other load of the machine falls on both.
        rows, last = stored_rows(last)
        with setup.measure() as timing:
            insert_bare(rows)
        bare.add(timing)
        del rows
    assert rated == count == Cdr.objects.count() == sum(CdrFile.objects.values_list("rated", flat=True))
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM bare_cdr")
        assert cursor.fetchone()[0] == count
    return [
        Measurement(
            "one loader",
            loading.rate(count),
            "rows/s",
            loading.peak_mb,
            against="LOAD DATA" if setup.database == "mariadb" else "executemany",
            baseline=bare.rate(count),
            ratio_at_least=PROMISE,
            note=f"{len(files)} files",
        )
    ]


def make_operator(subscribers: int) -> None:
    """A tenant with the config's tariff and subscribers on four price plans, a quarter of them prepaid."""
    with tempfile.TemporaryDirectory() as folder:
        call_command("maketariffplan", folder, activation="2020-01-01T00:00:00Z", verbosity=0, force=True)
        call_command("loadtariffplan", folder, verbosity=0)
    tenant = Tenant.objects.get(code="default")
    services = {service.code: service for service in ensure_standard_services()}
    for code, terms in PLANS:
        plan = PricePlan.objects.create(tenant=tenant, code=code, name=code, currency=tenant.currency)
        PricePlanService.objects.bulk_create(
            PricePlanService(price_plan=plan, service=services[service], price_micros=price, free_units=free)
            for service, (price, free) in terms.items()
        )
    BillCycle.objects.create(number=1, tenant=tenant)
    onboard(
        [
            NewLine(
                tenant="default",
                customer_number=f"C{number}",
                customer_name=f"Customer {number}",
                subscriber_number=f"S{number}",
                msisdn=str(4915550000000 + number),
                mode="prepaid" if number % 4 == 0 else "postpaid",
                price_plan=PLANS[number // 4 % len(PLANS)][0],
                cycle=1,
                start=datetime(2020, 1, 1, tzinfo=UTC),
            )
            for number in range(1, subscribers + 1)
        ],
        utc_now(),
    )
    publish(utc_now())


def make_files(count: int) -> list[Path]:
    """A file a day."""
    files = max(1, count // RECORDS_A_FILE)
    end = START + timedelta(days=files)
    wanted = Wanted(
        folder=settings.CDR_NEW_DIR,
        records=count,
        files=files,
        first=START,
        last=end,
        now=utc_now(),
    )
    return generate_files(wanted, subscriber_lines("default", START, end))


def make_bare_table() -> None:
    """An empty table like that of the records."""
    connection = connections["default"]
    with connection.cursor() as cursor:
        if connection.vendor == "mysql":
            cursor.execute(f"CREATE TABLE bare_cdr LIKE {CDR_TABLE}")
            return
        cursor.execute("SELECT sql FROM sqlite_master WHERE tbl_name = %s AND sql IS NOT NULL", [CDR_TABLE])
        for (sql,) in cursor.fetchall():
            cursor.execute(sql.replace(CDR_TABLE, "bare_cdr").replace('"cdr_', '"bare_'))


Portions = list[tuple[bytes, Sequence[Any]]]


def insert_bare(portions: Portions) -> None:
    """The rows into the empty table, in one transaction, the fastest bare way."""
    connection = connections["default"]
    with transaction.atomic():
        for lines, rows in portions:
            if connection.vendor == "mysql":
                load_tab_separated(
                    connection, "bare_cdr", CDR_COLUMNS, lines, len(rows), binary_columns=("raw",)
                )
            else:
                marks = ",".join("?" * len(CDR_COLUMNS))
                connection.connection.executemany(
                    f"INSERT INTO bare_cdr ({', '.join(CDR_COLUMNS)}) VALUES ({marks})", rows
                )


def stored_rows(after: int) -> tuple[Portions, int]:
    """The rows loaded after that id, in their order, ready to be inserted again (as text, as values); the last id."""
    portions: Portions = []
    last = after
    with connections["default"].cursor() as cursor:
        while True:
            cursor.execute(
                f"SELECT id, {', '.join('`' + name + '`' for name in CDR_COLUMNS)} FROM {CDR_TABLE} "
                "WHERE id > %s ORDER BY id LIMIT %s",
                [last, CHUNK],
            )
            found = cursor.fetchall()
            if not found:
                return portions, last
            last = found[-1][0]
            if connections["default"].vendor == "mysql":
                lines = "".join(
                    "\t".join([*map(str, row[1:-1]), bytes(row[-1]).hex()]) + "\n" for row in found
                ).encode()
                portions.append((lines, range(len(found))))
            else:
                portions.append((b"", [row[1:] for row in found]))
