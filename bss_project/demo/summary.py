"""What the demonstration closes with: what there is now, how long each stage took, and where to look next."""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings
from django.db.models import Count, Sum
from rich.console import Console
from rich.table import Table

from apps.billing.models import Bill, BillCycle
from apps.invoicing.models import BillDocument
from apps.kernel.money import format_micros
from apps.kernel.rounding import RoundingMethod, round_to_decimals
from apps.mediation.models import CdrFile
from apps.subscribers.models import Subscriber
from bss_project.demo.operator import OPERATOR
from bss_project.demo.prepaid_session import Step
from bss_project.demo.stages import BilledMonth, folder_of


def show(
    console: Console, stages: Sequence[tuple[str, float]], billed: BilledMonth, how_to_sign_in: str
) -> None:
    """Print the tables; every figure is read from the database."""
    console.print()
    console.print(_totals(billed))
    console.print()
    console.print(_cycles())
    console.print()
    console.print(_seconds(stages))
    console.print()
    for line in _next_steps(how_to_sign_in):
        console.print(line, highlight=False, soft_wrap=True)


def session(steps: Sequence[Step]) -> Table:
    """A session's requests and answers, one a line."""
    table = _table("request", "used", "granted", "answer", "balance")
    for step in steps:
        table.add_row(
            step.request,
            f"{step.used / 1e6:,.1f} MB" if step.used else "",
            f"{step.granted / 1e6:,.1f} MB" if step.granted else "",
            step.answer,
            f"{format_micros(step.balance_micros, 2)} {OPERATOR.currency}",
        )
    return table


def _money(micros: int) -> str:
    # For reading only: the exact amounts are in the admin and on the bills.
    cents = round_to_decimals(micros, 1, RoundingMethod.MIDDLE, 2)
    whole, _, digits = format_micros(cents, 2).partition(".")
    return f"{int(whole):,}.{digits} {OPERATOR.currency}"


def _totals(billed: BilledMonth) -> Table:
    files = CdrFile.objects.filter(state=CdrFile.State.LOADED).aggregate(
        files=Count("pk"),
        records=Sum("records"),
        rated=Sum("rated"),
        duplicates=Sum("duplicates"),
        suspended=Sum("suspended"),
        cost=Sum("cost_micros"),
    )
    bills = Bill.objects.aggregate(bills=Count("pk"), total=Sum("total_micros"))
    rows = [
        ("subscribers", f"{Subscriber.objects.count():,}"),
        ("CDR files loaded", f"{files['files']:,}"),
        ("records", f"{files['records'] or 0:,}"),
        ("  rated", f"{files['rated'] or 0:,}"),
        ("  in suspense", f"{files['suspended'] or 0:,}"),
        ("  duplicates kept out", f"{files['duplicates'] or 0:,}"),
        ("usage rated at", _money(files["cost"] or 0)),
        ("bills and statements", f"{bills['bills']:,}"),
        ("billed", _money(bills["total"] or 0)),
        ("PDFs", f"{BillDocument.objects.count():,}"),
    ]
    table = _table(f"{OPERATOR.name}, usage of {billed.month}")
    for row in rows:
        table.add_row(*row)
    return table


def _cycles() -> Table:
    table = _table("bill cycle", "queue", "bills", "statements", "recurring", "usage", "tax", "total")
    for cycle in BillCycle.objects.order_by("number"):
        bills = Bill.objects.filter(cycle=cycle)
        sums = bills.aggregate(
            recurring=Sum("recurring_micros"),
            usage=Sum("usage_micros"),
            tax=Sum("tax_micros"),
            total=Sum("total_micros"),
        )
        table.add_row(
            str(cycle),
            cycle.queue,
            f"{bills.filter(kind=Bill.Kind.POSTPAID).count():,}",
            f"{bills.filter(kind=Bill.Kind.PREPAID).count():,}",
            *(_money(sums[name] or 0) for name in ("recurring", "usage", "tax", "total")),
        )
    return table


def _seconds(stages: Sequence[tuple[str, float]]) -> Table:
    table = _table("stage", "seconds")
    for title, seconds in stages:
        table.add_row(title, f"{seconds:.1f}")
    # Making the tables and starting the environment is set-up; what follows is the job.
    table.add_row("All but setting up", f"{sum(seconds for _, seconds in stages[1:]):.1f}")
    return table


def _next_steps(how_to_sign_in: str) -> list[str]:
    document = BillDocument.objects.order_by("-size_octets").first()
    steps = ["Where to look next"]
    if document is not None:
        steps.append(f"  a bill         {folder_of(settings.INVOICES_DIR / document.path)}")
    steps += [
        f"  the admin      ./run serve, then http://127.0.0.1:8000/admin/ ({how_to_sign_in})",
        "  the rest       ./run serve renders the other bills, too; or ./run manage formatbills",
        "  why a price    ./run manage rate --explain < usage.jsonl, or any CDR in the admin: “Explain this price”",
        "  suspense       the admin lists suspense by reason; then ./run manage recyclecdrs",
        f"  start over     delete {folder_of(settings.VAR_DIR)}",
    ]
    return steps


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right", no_wrap=True)
    if len(columns) == 1:
        table.add_column("", justify="right", no_wrap=True)
    return table
