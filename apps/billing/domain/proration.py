"""A part of a monthly amount, by the day."""

from __future__ import annotations

from datetime import date

from apps.billing.domain.periods import DaySpan
from apps.kernel.rounding import RoundingMethod, round_ratio


def prorated(monthly_micros: int, month: DaySpan, first: date, after: date, unit_micros: int = 1) -> int:
    """The part of a month's amount that falls on days ``[first, after)`` within ``month``, a multiple of the unit.

    What has fallen due by a day is rounded, and a part is the difference of two such sums. Thus the parts of
    any cut add up to the whole, and the whole month costs the monthly amount, rounded once.
    """
    denominator = month.days * unit_micros
    due_before = round_ratio(monthly_micros * (first - month.first).days, denominator, RoundingMethod.MIDDLE)
    due_after = round_ratio(monthly_micros * (after - month.first).days, denominator, RoundingMethod.MIDDLE)
    return (due_after - due_before) * unit_micros
