"""Previewed bills as text."""

from __future__ import annotations

from collections.abc import Iterator
from zoneinfo import ZoneInfo

from apps.billing.selectors.preview import PreviewedBill, PreviewLine
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
        yield f"  {_what(line, zone):<62} {format_micros(line.amount_micros, 2):>16}"
    yield f"  {'total ' + bill.currency:<62} {format_micros(bill.total_micros, 2):>16}"


def _what(line: PreviewLine, zone: ZoneInfo) -> str:
    parts = [line.subscriber, line.description]
    if line.records:
        parts.append(
            f"{line.records} × {line.usage} units" + (f", {line.free_usage} free" if line.free_usage else "")
        )
    if line.period_start and line.period_end:
        first, after = line.period_start.astimezone(zone), line.period_end.astimezone(zone)
        parts.append(f"{first:%Y-%m-%d} until {after:%Y-%m-%d}")
    if line.rate_millionths is not None:
        parts.append(f"{line.rate_millionths / 10_000:g} % of {format_micros(line.base_micros or 0, 2)}")
    return "  ".join(part for part in parts if part)
