"""The price of usage that stays at one rate: what a walk over its increments would come to, at any position."""

from __future__ import annotations

from apps.rating.domain.rates import CompiledRate
from apps.rating.domain.usage import Matched, RatedUsage


def whole_cost(rate: CompiledRate, amount: int) -> int:
    """The cost alone of :func:`price` for a whole session of ``amount`` (> 0) units."""
    if rate.one_slot is None:
        return _paid(rate, 0, amount)[0]
    increment, increment_cost, fee, round_up, divisor, step, _ = rate.one_slot
    return (fee - -amount // increment * increment_cost + round_up) // divisor * step


def price(matched: Matched, rate: CompiledRate, position: int, amount: int, paid_from: int) -> RatedUsage:
    """The price of ``amount`` (> 0) units from ``position`` on; see :meth:`apps.rating.domain.rater.Rater.rate`.

    For rates without a maximum cost of strategy ``*free``.
    """
    one_slot = rate.one_slot
    if one_slot is not None and not position and not paid_from:
        # What most usage is: a whole session.
        increment, increment_cost, fee, round_up, divisor, step, fee_micros = one_slot
        increments = -(-amount // increment)
        cost = (fee + increments * increment_cost + round_up) // divisor * step
        return RatedUsage(cost, increments * increment, fee_micros, 0, 0, matched)
    cost, billed_to = _paid(rate, paid_from, position + amount)
    before, billed_before = _paid(rate, paid_from, position) if position > paid_from else (0, paid_from)
    return RatedUsage(
        cost - before,
        billed_to - billed_before,
        0 if position or paid_from else rate.fee_micros,
        min(paid_from - position, amount) if paid_from > position else 0,
        paid_from,
        matched,
    )


def _paid(rate: CompiledRate, paid_from: int, upto: int) -> tuple[int, int]:
    """The cost in micro-units of what a session pays up to a position, and where its last increment ends."""
    if upto <= paid_from:
        return 0, paid_from
    numerator = 0 if paid_from else rate.fee
    billed_to = paid_from
    for slot_end, increment, cost in rate.steps:
        if slot_end > billed_to:
            increments = -((billed_to - (slot_end if slot_end < upto else upto)) // increment)
            numerator += increments * cost
            billed_to += increments * increment
            if billed_to >= upto:
                break
    return (numerator + rate.round_up) // rate.divisor * rate.step, billed_to


def largest_within(
    matched: Matched, rate: CompiledRate, position: int, amount: int, paid_from: int, budget_micros: int
) -> tuple[int, RatedUsage]:
    """The largest part of the piece whose price is within the budget, and that price.

    For rates with ``one_slot``. The price of no usage is that of nothing.
    """
    assert rate.one_slot is not None
    increment, cost, fee, round_up, divisor, step, _ = rate.one_slot
    if paid_from:
        fee = 0
    end = position + amount
    before = -((paid_from - position) // increment) if position > paid_from else 0
    after = -((paid_from - end) // increment) if end > paid_from else 0
    limit = budget_micros
    if before:
        limit += (fee + before * cost + round_up) // divisor * step
    # The largest exact cost that is rounded to no more than the limit.
    most = divisor * (limit // step + 1) - round_up - 1
    if fee + after * cost > most:
        after = (most - fee) // cost if cost else 0
    reached = min(max(paid_from + max(after, before) * increment, position), end) - position
    if reached <= 0:
        return 0, RatedUsage(0, 0, 0, 0, paid_from, matched)
    return reached, price(matched, rate, position, reached, paid_from)
