"""A bill that is made but not written, laid out as a page."""

from __future__ import annotations

from typing import NamedTuple
from zoneinfo import ZoneInfo

from apps.backoffice.display import grouped, money, percent, usage
from apps.backoffice.panels import Fact, Table
from apps.billing.admin.bills import days_of
from apps.billing.models import BillLine
from apps.billing.selectors.preview import PreviewedBill, PreviewLine


class PreviewedBillPage(NamedTuple):
    """What ``templates/admin/billing/preview.html`` shows."""

    facts: tuple[Fact, ...]
    table: Table
    problem: str


def preview_page(bill: PreviewedBill, zone: ZoneInfo) -> PreviewedBillPage:
    facts: tuple[Fact, ...] = (
        Fact("Total", money(bill.total_micros, bill.currency), "statement" if bill.prepaid else "bill"),
        Fact("Account", bill.account),
        Fact("Period", days_of(bill.period_start, bill.period_end, zone)),
    )
    if bill.credit_micros:
        due = money(bill.total_micros - bill.credit_micros, bill.currency)
        facts = (*facts, Fact("Amount due", due, "after credits of former bills"))
    table = Table(
        ("Kind", "Subscriber", "Description", "For", "Records", "Usage", "Free", "Rate", "Amount"),
        [_row(line, bill.currency, zone) for line in bill.lines],
        "There would be nothing on this bill.",
        (4, 5, 6, 7, 8),
        total=("Total", *[""] * 7, money(bill.total_micros, bill.currency)),
    )
    return PreviewedBillPage(facts, table, bill.problem)


def _row(line: PreviewLine, currency: str, zone: ZoneInfo) -> tuple[object, ...]:
    period = (
        days_of(line.period_start, line.period_end, zone) if line.period_start and line.period_end else ""
    )
    return (
        BillLine.Kind(line.kind).label,
        line.subscriber,
        line.description,
        period,
        grouped(line.records) if line.records else "",
        usage(line.quantity, line.type_of_record) if line.records else "",
        usage(line.free_quantity, line.type_of_record) if line.free_quantity else "",
        percent(line.rate_millionths) if line.rate_millionths is not None else "",
        money(line.amount_micros, currency),
    )
