"""The stages of the demonstration, each of which is idempotent: it finds out by itself what exists."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.db import transaction
from django.db.models import Sum

from apps.backoffice.progress import Report
from apps.billing.models import (
    Activity,
    Bill,
    BillCycle,
    BillRun,
    BillRunChunk,
    Discount,
    OneOffCharge,
    RecurringCharge,
)
from apps.billing.services.activities import queue_activity
from apps.billing.services.onboarding import onboard
from apps.charging.models import Account
from apps.charging.services.ledger import Movement, post_movements
from apps.invoicing.models import BillDocument
from apps.invoicing.tasks import render_bills
from apps.kernel.errors import BssError, Conflict
from apps.kernel.periods import Month, Period, month_of, month_period
from apps.mediation.models import CdrFile
from apps.mediation.services.file_folder import ready_files
from apps.mediation.services.generate_files import Wanted, generate_files, subscriber_lines
from apps.mediation.services.intake import load_files
from apps.mediation.services.load_file import Outcome
from apps.rating.models import PricePlan, TariffVersion, Tenant
from apps.subscribers.models import Subscriber
from apps.subscribers.services.assignments import assign_plan
from bss_project.demo.operator import OPERATOR, ensure_products
from bss_project.demo.people import invented_lines
from bss_project.operator_setup import set_up

BAD_PER_MILLE = 3
SOURCE = "DEMO"


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything the demonstration makes."""

    subscribers: int
    records: int
    pdfs: int


@dataclass(frozen=True, slots=True)
class BilledMonth:
    """The billed month and its period in the operator's time zone."""

    month: Month
    period: Period


def billed_month(tenant: Tenant, now: datetime) -> BilledMonth:
    """The last calendar month whose bills are due in every one of the demonstration's cycles (days 1 to 4)."""
    month = month_of(now - timedelta(days=OPERATOR.cycles), tenant.zone).previous()
    return BilledMonth(month, month_period(month, tenant.zone))


def ensure_operator() -> Tenant:
    """Tenant, services, cycles, tax and products."""
    tenant = set_up(OPERATOR)
    ensure_products(tenant)
    return tenant


def ensure_tariff() -> None:
    """Load the shipped tariff of the whole world, unless a tariff is published already."""
    if TariffVersion.objects.filter(note__startswith="loadtariffplan").exists():
        return
    with tempfile.TemporaryDirectory(prefix="tariff-") as folder:
        quiet = io.StringIO()
        call_command("maketariffplan", folder, "--force", country=OPERATOR.country, stdout=quiet)
        call_command("loadtariffplan", folder, stdout=quiet)


def ensure_subscribers(tenant: Tenant, size: Size, billed: Period, now: datetime) -> int:
    """Invent those subscribers that are missing; returns how many that were. Prepaid ones top up as they go."""
    known = set(Subscriber.objects.filter(tenant=tenant).values_list("number", flat=True))
    lines = [
        line
        for line in invented_lines(1, size.subscribers, tenant.code, OPERATOR.cycles, billed)
        if line.subscriber_number not in known
    ]
    onboard(lines, now)
    _add_events(tenant, {line.subscriber_number for line in lines}, billed)
    new = {line.account for line in lines if line.mode == "prepaid"}
    with transaction.atomic():
        post_movements(
            [
                Movement(
                    account_id=account_id,
                    at=billed.start + timedelta(days=8 + account_id % 12, hours=10),
                    amount_micros=20_000_000,
                    kind="top_up",
                    book="cash",
                    cause=f"demo-top-up:{account_id}",
                    note="Top-up at a kiosk",
                )
                for account_id in Account.objects.filter(tenant=tenant, number__in=new).values_list(
                    "pk", flat=True
                )
            ]
        )
    return len(lines)


def _add_events(tenant: Tenant, new: set[str], billed: Period) -> None:
    """What happens in a month besides usage: plan changes, activation fees, loyalty discounts, a rented router."""
    plans = {plan.code: plan for plan in PricePlan.objects.filter(tenant=tenant)}
    middle = billed.start + timedelta(days=14)
    of_accounts = Subscriber.objects.filter(tenant=tenant, number__in=new, payer__account__mode="postpaid")
    for subscriber in of_accounts.select_related("payer__account").order_by("pk"):
        account = subscriber.payer.account
        if subscriber.activated_at > billed.start:
            OneOffCharge.objects.create(
                account=account,
                subscriber=subscriber,
                at=subscriber.activated_at,
                description="Activation",
                amount_micros=9_990_000,
            )
        elif subscriber.pk % 40 == 1:
            assign_plan(subscriber.pk, plans["POSTPAID_FLAT"].pk, middle)
        elif subscriber.pk % 40 == 3:
            Discount.objects.create(
                account=account,
                description="Loyalty discount",
                scope=Discount.Scope.ALL,
                rate_millionths=100_000,
                start=billed.start - timedelta(days=30),
            )
        elif subscriber.pk % 40 == 5:
            RecurringCharge.objects.create(
                account=account,
                subscriber=subscriber,
                description="Router rental",
                monthly_amount_micros=3_990_000,
                start=billed.start - timedelta(days=30),
            )


def make_files(tenant: Tenant, size: Size, billed: BilledMonth, now: datetime, report: Report) -> int:
    """Make the month's CDR files that are missing, a file a day, in the folder of new ones; returns their records.

    What an earlier start left in that folder is to be loaded first. A larger ``size`` adds a further set of files.
    """
    of_month = CdrFile.objects.filter(name__startswith=f"{SOURCE}_{billed.period.start:%Y%m%d}_")
    missing = size.records - (of_month.aggregate(n=Sum("records"))["n"] or 0)
    if missing <= 0:
        return 0
    wanted = Wanted(
        folder=settings.CDR_NEW_DIR,
        records=missing,
        files=min(missing, billed.period.days(tenant.zone)),
        first=billed.period.start,
        last=billed.period.end,
        now=now,
        seed=len({name.split("_")[2] for name in of_month.values_list("name", flat=True)}) + 1,
        bad=missing * BAD_PER_MILLE // 1_000,
        source=SOURCE,
        home=OPERATOR.country,
        zone=tenant.time_zone,
    )
    lines = subscriber_lines(tenant.code, billed.period.start, billed.period.end)
    generate_files(wanted, lines, report)
    return missing


def load_new_files(clock: Callable[[], datetime], report: Report) -> int:
    """Load all files in the folder of new files; returns how many records were in it."""
    records = 0
    for outcome in load_files(ready_files(settings.CDR_NEW_DIR), clock):
        if outcome.outcome not in (Outcome.LOADED, Outcome.REPEATED):
            raise BssError(f"{outcome.path.name} was not loaded ({outcome.outcome}): {outcome.detail}")
        records += outcome.totals.records
        report(records)
    return records


def queue_cycles(billed: BilledMonth, now: datetime) -> list[Activity]:
    """Queue a full run of each cycle for the month, unless it was billed or queued before."""
    queued = []
    for cycle in BillCycle.objects.filter(retired_at=None).order_by("number"):
        try:
            queued.append(
                queue_activity(
                    Activity.Type.FULL_BILLRUN,
                    str(cycle.number),
                    str(billed.month.month),
                    str(billed.month.year),
                    now=now,
                    queued_by="demo",
                )
            )
        except Conflict:
            continue
    return queued


def runs_progress() -> tuple[int, int, bool]:
    """(accounts billed, accounts to bill, whether everything queued is through); raises BssError for a failed run."""
    failed = Activity.objects.filter(status=Activity.Status.ERROR).order_by("pk").last()
    if failed is not None:
        raise BssError(f"activity {failed.pk} ({failed}) failed: {failed.error}")
    open_ones = Activity.objects.filter(status__in=(Activity.Status.PENDING, Activity.Status.PROCESSING))
    wanted = BillRun.objects.aggregate(accounts=Sum("accounts"))["accounts"] or 0
    done = BillRunChunk.objects.filter(state=BillRunChunk.State.DONE).aggregate(n=Sum("accounts"))["n"] or 0
    return done, wanted, not open_ones.exists()


def documents() -> int:
    """How many bills have a PDF."""
    return BillDocument.objects.values("bill").distinct().count()


def bills_without_document() -> int:
    """How many bills are still to be rendered."""
    return Bill.objects.filter(status=Bill.Status.NEW).count()


def order_documents(count: int) -> None:
    """Ask the invoicing workers for ``count`` documents, in portions so that all of them have something to do."""
    portion = max(1, min(settings.INVOICE_BATCH, count // (4 * (os.cpu_count() or 1))))
    for first in range(0, count, portion):
        render_bills.delay(limit=min(portion, count - first))


def folder_of(path: Path) -> str:
    """A path as a person would type it from the checkout."""
    try:
        return str(path.relative_to(settings.BASE_DIR))
    except ValueError:
        return str(path)
