"""Previewed bills as text."""

from __future__ import annotations

from collections.abc import Iterator
from zoneinfo import ZoneInfo

from apps.backoffice.display import usage
from apps.billing.selectors.preview import PreviewedBill, PreviewLine
from apps.kernel.currencies import decimals_of
from apps.kernel.money import format_micros


def bill_text(bill: PreviewedBill, zone: ZoneInfo) -> Iterator[str]:
    """The bill's lines and total, a line of text each."""
    first, after = bill.period_start.astimezone(zone), bill.period_end.astimezone(zone)
    kind = "statement" if bill.prepaid else "bill"
    head = f"{kind} of account {bill.account}, {first:%Y-%m-%d} until {after:%Y-%m-%d}"
    if bill.problem:
        yield f"{head}: cannot be billed: {bill.problem}"
        return
    yield head
    for line in bill.lines:
        yield _row(_what(line, zone, bill.currency), line.amount_micros, bill.currency)
    yield _row(f"total {bill.currency}", bill.total_micros, bill.currency)
    if bill.credit_micros:
        yield _row("credit of former bills", -bill.credit_micros, bill.currency)
        yield _row("amount due", bill.total_micros - bill.credit_micros, bill.currency)


def _row(text: str, micros: int, currency: str) -> str:
    return f"  {text:<62} {format_micros(micros, decimals_of(currency)):>16}"


def _what(line: PreviewLine, zone: ZoneInfo, currency: str) -> str:
    parts = [line.subscriber, line.description]
    if line.records:
        parts.append(
            f"{line.records} record{'s' if line.records != 1 else ''}, {usage(line.quantity, line.type_of_record)}"
            + (f", {usage(line.free_quantity, line.type_of_record)} free" if line.free_quantity else "")
        )
    if line.period_start and line.period_end:
        first, after = line.period_start.astimezone(zone), line.period_end.astimezone(zone)
        parts.append(f"{first:%Y-%m-%d} until {after:%Y-%m-%d}")
    if line.rate_millionths is not None:
        parts.append(
            f"{line.rate_millionths / 10_000:g} % of {format_micros(line.base_micros or 0, decimals_of(currency))}"
        )
    if line.exact_micros != line.amount_micros:
        parts.append(f"exactly {format_micros(line.exact_micros)}")
    return "  ".join(part for part in parts if part)
