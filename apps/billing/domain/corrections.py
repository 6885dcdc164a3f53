"""What a change of usage that is on a bill already comes to on the next one, after the discounts that it had."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from apps.kernel.rounding import RoundingMethod, round_ratio


class BilledUsageChange(NamedTuple):
    """A record's price that changed by ``added_micros``; ``load_sequence`` is that of its file."""

    start: datetime
    load_sequence: int
    service_id: int
    added_micros: int


class BillWindow(NamedTuple):
    """Which usage is on a bill: started before ``end``, of files up to ``sequence``, and on no earlier bill."""

    bill_id: int
    end: datetime
    sequence: int


class TaxOf(NamedTuple):
    """How a line is taxed, as it stands on the bill."""

    category: str
    rate_millionths: int


class GivenDiscount(NamedTuple):
    """A discount on usage as a bill gave it: ``exact_micros`` (negative) of ``base_micros``; None: any service."""

    service_id: int | None
    tax: TaxOf
    exact_micros: int
    base_micros: int


def bill_of(change: BilledUsageChange, bills: Sequence[BillWindow]) -> int | None:
    """The bill that the record is on, of an account's bills in the order of their ends; None: on none yet."""
    for bill in bills:
        if change.start < bill.end and change.load_sequence <= bill.sequence:
            return bill.bill_id
    return None


def after_discounts(
    added_micros: int, service_id: int, tax: TaxOf, discounts: Sequence[GivenDiscount]
) -> int:
    """What is left of a change after the bill's discounts, each on what those before it left; rounded once."""
    numerator, denominator = added_micros, 1
    for discount in discounts:
        if discount.service_id in (None, service_id) and discount.tax == tax and discount.base_micros > 0:
            numerator *= discount.base_micros + discount.exact_micros
            denominator *= discount.base_micros
    return round_ratio(numerator, denominator, RoundingMethod.MIDDLE)
