"""Where documents lie within the invoices folder."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from apps.invoicing.domain.formats import first_and_last_day


def document_folder(period_start: datetime, period_end: datetime, zone: ZoneInfo, cycle_number: int) -> str:
    """``2026/01/bc_3``: by the month in which the period begins, as the cycle's zone counts days.

    Activities name a period by the same month.
    """
    first, _ = first_and_last_day(period_start, period_end, zone)
    return f"{first.year:04d}/{first.month:02d}/bc_{cycle_number}"


def current_name(bill_id: int) -> str:
    return f"{bill_id}.pdf"


def former_name(bill_id: int, revision: int) -> str:
    """The name that a document gets when a later revision takes its place."""
    return f"{bill_id}.r{revision}.pdf"
