"""What a credit note says: every line of a bill with the sign changed (EN 16931, type 381)."""

from __future__ import annotations

from apps.billing.domain.draft import BillLine


def taken_back(line: BillLine, line_id: int) -> BillLine:
    """The line that takes back a line of a bill; its quantity stays the delivered one."""
    return line._replace(
        amount_micros=-line.amount_micros,
        exact_micros=-line.exact_micros,
        base_micros=None if line.base_micros is None else -line.base_micros,
        corrects_id=line_id,
    )
