"""Monthly fees: a line for each fee and each of the cycle's months in which it is due."""

from __future__ import annotations

from collections.abc import Iterator

from apps.billing.domain.draft import DAY, MONTH, RECURRING, BillLine, Draft, Terms
from apps.billing.domain.periods import day_of, midnight
from apps.billing.domain.proration import prorated
from apps.billing.domain.values import Fee


def apply(draft: Draft, terms: Terms) -> Draft:
    """Fees by calendar day of the cycle's zone; those that reach beyond the window are cut to it."""
    if not terms.fees:
        return draft
    return draft._replace(lines=(*draft.lines, *(line for fee in terms.fees for line in _lines(fee, terms))))


def _lines(fee: Fee, terms: Terms) -> Iterator[BillLine]:
    window = terms.window
    zone, days = window.zone, window.days
    if not fee.monthly_micros or fee.start >= window.end or (fee.end and fee.end <= window.start):
        return
    first = days.first if fee.start <= window.start else max(days.first, day_of(fee.start, zone))
    after = days.after if fee.end is None or fee.end > window.end else min(days.after, day_of(fee.end, zone))
    for month in window.months:
        part_first, part_after = max(first, month.first), min(after, month.after)
        if part_first >= part_after:
            continue
        whole = (part_first, part_after) == month
        yield BillLine(
            RECURRING,
            prorated(fee.monthly_micros, month, part_first, part_after, terms.unit_micros),
            prorated(fee.monthly_micros, month, part_first, part_after),
            terms.taxes.general,
            fee.origin,
            fee.description,
            fee.subscriber_id,
            unit=MONTH if whole else DAY,
            quantity=1 if whole else (part_after - part_first).days,
            period_start=midnight(part_first, zone),
            period_end=midnight(part_after, zone),
        )
