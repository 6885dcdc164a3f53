"""The statement: what an account owes (postpaid) or has spent (prepaid) for a window of time.

Postpaid: fees, usage, one-off charges, discounts, taxes on what remains, and rounding to a payable amount. Prepaid:
prices contain their taxes and the usage has been taken from the balance already, so there is neither tax nor rounding;
fees, one-off charges and discounts are settled with the balance now, and what it cannot bear is carried over.

The lines of a bill add up to its total, exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from apps.billing.domain.currencies import payable_micros
from apps.billing.domain.periods import Window, day_of, midnight
from apps.billing.domain.proration import prorated
from apps.billing.domain.values import DiscountTerms, Fee, OneOff, PrepaidFunds, Taxes, UsageTotal
from apps.kernel.rounding import RoundingMethod, round_ratio

RECURRING = "recurring"
USAGE = "usage"
ONE_OFF = "one_off"
ONLINE = "online"
DISCOUNT = "discount"
TAX = "tax"
ROUNDING = "rounding"

MILLION = 1_000_000


class Charge(NamedTuple):
    """A line other than usage; fields as in the row ``BillLine``."""

    kind: str
    subscriber_id: int | None
    service_id: int | None
    description: str
    period_start: datetime | None
    period_end: datetime | None
    rate_millionths: int | None
    base_micros: int | None
    amount_micros: int


class BillValue(NamedTuple):
    """A bill before it is written: its lines in their order (fees, usage, the rest), and their sums by kind."""

    fees: list[Charge]
    usage: Sequence[UsageTotal]
    rest: list[Charge]
    recurring_micros: int
    usage_micros: int
    one_off_micros: int
    discount_micros: int
    tax_micros: int
    rounding_micros: int
    total_micros: int
    carried_over_micros: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing on it at all."""
        return not (self.fees or self.usage or self.rest)

    def amounts(self) -> Iterator[int]:
        """The amount of each line; they add up to the total."""
        for charge in self.fees:
            yield charge.amount_micros
        for total in self.usage:
            yield total[7]
        for charge in self.rest:
            yield charge.amount_micros


class Terms(NamedTuple):
    """What holds for many bills: the currency, and the taxes at the tax point."""

    currency: str
    taxes: Taxes


def statement(
    window: Window,
    usage: Sequence[UsageTotal],
    fees: Sequence[Fee],
    one_offs: Sequence[OneOff],
    discounts: Sequence[DiscountTerms],
    terms: Terms,
    prepaid: PrepaidFunds | None = None,
) -> BillValue:
    """The bill of one account for ``window``.

    ``usage`` is already what this bill has to show; ``fees`` may reach beyond the window, and are cut to it.
    ``prepaid`` makes it a statement of a prepaid account.
    """
    fee_lines: list[Charge] = []
    rest: list[Charge] = []
    recurring = _add_fees(fee_lines, fees, window) if fees else 0
    used = 0
    by_service: dict[int, int] = {}
    for total in usage:
        used += total[7]
        by_service[total[2]] = by_service.get(total[2], 0) + total[7]
    one_off = taxed_once = 0
    for subscriber_id, description, amount, taxed in one_offs:
        one_off += amount
        if taxed:
            taxed_once += amount
        kind = ONE_OFF if taxed else ONLINE
        rest.append(Charge(kind, subscriber_id, None, description, None, None, None, None, amount))
    discounted, net_fees = 0, recurring
    if discounts:
        discounted, net_fees = _add_discounts(rest, discounts, window, recurring, by_service)
    if prepaid is not None:
        carried = _not_covered(recurring + one_off + discounted, prepaid)
        if carried:
            rest.append(_plain(ONE_OFF, "Carried over: more than the balance could bear", -carried))
        one_off -= carried
        sum_micros = recurring + used + one_off + discounted
        return BillValue(
            fee_lines, usage, rest, recurring, used, one_off, discounted, 0, 0, sum_micros, carried
        )
    tax = _add_taxes(rest, terms.taxes, net_fees + taxed_once, by_service)
    exact = recurring + used + one_off + discounted + tax
    payable = payable_micros(exact, terms.currency)
    if payable != exact:
        rest.append(_plain(ROUNDING, "Rounding", payable - exact))
    return BillValue(
        fee_lines, usage, rest, recurring, used, one_off, discounted, tax, payable - exact, payable
    )


def _plain(kind: str, description: str, amount_micros: int) -> Charge:
    return Charge(kind, None, None, description, None, None, None, None, amount_micros)


def _add_fees(lines: list[Charge], fees: Sequence[Fee], window: Window) -> int:
    """A line for each fee and each of the cycle's months in which it is due; their sum."""
    total = 0
    zone, days = window.zone, window.days
    for fee in fees:
        if not fee.monthly_micros or fee.start >= window.end or (fee.end and fee.end <= window.start):
            continue
        first = days.first if fee.start <= window.start else max(days.first, day_of(fee.start, zone))
        after = (
            days.after if fee.end is None or fee.end > window.end else min(days.after, day_of(fee.end, zone))
        )
        for month in window.months:
            part_first, part_after = max(first, month.first), min(after, month.after)
            if part_first >= part_after:
                continue
            amount = prorated(fee.monthly_micros, month, part_first, part_after)
            total += amount
            lines.append(
                Charge(
                    RECURRING,
                    fee.subscriber_id,
                    None,
                    fee.description,
                    midnight(part_first, zone),
                    midnight(part_after, zone),
                    None,
                    None,
                    amount,
                )
            )
    return total


def _add_discounts(
    lines: list[Charge],
    discounts: Sequence[DiscountTerms],
    window: Window,
    fees_micros: int,
    by_service: dict[int, int],
) -> tuple[int, int]:
    """A line for each discount that gives something; their sum (negative) and the fees that remain.

    Each is a share of what those before it have left, so that all together never give back more than everything.
    One that holds for a part of the window's days gives that part of its share. ``by_service`` is lowered in place.
    """
    total = 0
    window_days = window.days.days
    for discount in discounts:
        share_days = _days_valid(discount, window)
        if share_days <= 0:
            continue
        numerator, denominator = discount.rate_millionths * share_days, MILLION * max(1, window_days)
        base = given = 0
        if discount.of_fees and fees_micros > 0:
            part = round_ratio(fees_micros * numerator, denominator, RoundingMethod.MIDDLE)
            base, given, fees_micros = base + fees_micros, given + part, fees_micros - part
        if discount.of_usage:
            for service_id, amount in by_service.items():
                if amount > 0 and discount.service_id in (None, service_id):
                    part = round_ratio(amount * numerator, denominator, RoundingMethod.MIDDLE)
                    base, given = base + amount, given + part
                    by_service[service_id] = amount - part
        if given:
            total -= given
            lines.append(
                Charge(
                    DISCOUNT,
                    None,
                    discount.service_id,
                    discount.description,
                    None,
                    None,
                    discount.rate_millionths,
                    base,
                    -given,
                )
            )
    return total, fees_micros


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


def _add_taxes(
    lines: list[Charge], taxes: Taxes, general_base_micros: int, by_service: Mapping[int, int]
) -> int:
    """A line for each tax on the sum of what it is due on; their sum. Rounded once a tax, to the micro-unit."""
    bases: dict[tuple[str, int], int] = {}
    for rate in taxes.general:
        bases[rate] = general_base_micros
    for service_id, amount in by_service.items():
        for rate in taxes.of(service_id):
            bases[rate] = bases.get(rate, 0) + amount
    total = 0
    for (name, rate_millionths), base in bases.items():
        if not base:
            continue
        amount = round_ratio(base * rate_millionths, MILLION, RoundingMethod.MIDDLE)
        total += amount
        lines.append(Charge(TAX, None, None, name, None, None, rate_millionths, base, amount))
    return total


def _not_covered(due_micros: int, funds: PrepaidFunds) -> int:
    """How much of what is due the balance cannot bear."""
    if funds.may_overdraw or due_micros <= 0:
        return 0
    return max(0, due_micros - max(0, funds.available_micros))
