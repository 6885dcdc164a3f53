"""Discounts: shares given back of fees and usage, each on what those before it have left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from apps.billing.domain.draft import DISCOUNT, RECURRING, USAGE, BillLine, Draft, Terms
from apps.billing.domain.periods import Window, day_of
from apps.billing.domain.values import DiscountTerms, TaxTreatment
from apps.kernel.currencies import to_unit
from apps.kernel.rounding import RoundingMethod, round_ratio

MILLION = 1_000_000
FEES = None

# The amounts left of the fees (None) and of each service.
Left = dict[int | None, int]


def apply(draft: Draft, terms: Terms) -> Draft:
    """A line for each discount and tax treatment of what it is given on (EN 16931, BG-20: an allowance has one rate).

    All together never give back more than everything. One that holds for a part of the window's days gives that part
    of its share.
    """
    if not terms.discounts:
        return draft
    left: Left = {}
    for line in draft.lines:
        if line.kind in (RECURRING, USAGE):
            left[line.service_id] = left.get(line.service_id, 0) + line.amount_micros
    lines = [line for discount in terms.discounts for line in _lines(discount, left, terms)]
    return draft._replace(lines=(*draft.lines, *lines))


def _lines(discount: DiscountTerms, left: Left, terms: Terms) -> Iterator[BillLine]:
    """The discount's lines; ``left`` is lowered by them in place."""
    days = _days_valid(discount, terms.window)
    if days <= 0:
        return
    numerator = discount.rate_millionths * days
    denominator = MILLION * max(1, terms.window.days.days)
    groups: dict[TaxTreatment, list[int | None]] = {}
    for service_id, amount in left.items():
        if amount > 0 and _is_for(discount, service_id):
            groups.setdefault(terms.taxes.of(service_id), []).append(service_id)
    for tax, services in groups.items():
        base = sum(left[service_id] for service_id in services)
        exact = round_ratio(base * numerator, denominator, RoundingMethod.MIDDLE)
        given = to_unit(exact, terms.unit_micros)
        if given:
            _take(given, services, left, base, terms.unit_micros)
            yield BillLine(
                DISCOUNT,
                -given,
                -exact,
                tax,
                discount.origin,
                discount.description,
                service_id=discount.service_id,
                quantity=1,
                rate_millionths=discount.rate_millionths,
                base_micros=base,
            )


def _is_for(discount: DiscountTerms, service_id: int | None) -> bool:
    if service_id is FEES:
        return discount.of_fees
    return discount.of_usage and discount.service_id in (None, service_id)


def _take(given: int, services: Sequence[int | None], left: Left, base: int, unit_micros: int) -> None:
    """Spread the discount over the services by their amounts, as differences of rounded sums, so that it adds up."""
    reached = before = 0
    for service_id in services:
        reached += left[service_id]
        due = round_ratio(given * reached, base * unit_micros, RoundingMethod.MIDDLE) * unit_micros
        left[service_id] -= due - before
        before = due


def _days_valid(discount: DiscountTerms, window: Window) -> int:
    if discount.start >= window.end or (discount.end and discount.end <= window.start):
        return 0
    first, after = window.days
    if window.days.days == 0:
        return 1
    if discount.start > window.start:
        first = max(first, day_of(discount.start, window.zone))
    if discount.end and discount.end < window.end:
        after = min(after, day_of(discount.end, window.zone))
    return (after - first).days
