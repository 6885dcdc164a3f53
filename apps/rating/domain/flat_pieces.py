"""Pieces of a session at a one-slot rate in closed form: what a walk over the increments would come to."""

from __future__ import annotations

from collections.abc import Callable

from apps.rating.domain.rates import DOWN, MIDDLE, FlatTerms
from apps.rating.domain.resolution import Match
from apps.rating.domain.usage import RatedUsage

_new_rated: Callable[[type[RatedUsage], tuple[object, ...]], RatedUsage] = tuple.__new__


def flat_piece(match: Match, flat: FlatTerms, position: int, amount: int, paid_from: int) -> RatedUsage:
    """The price of ``amount`` (> 0) units from ``position``; see :meth:`apps.rating.domain.rater.Rater.rate`."""
    increment = flat[0]
    before = -((paid_from - position) // increment) if position > paid_from else 0
    end = position + amount
    after = -((paid_from - end) // increment) if end > paid_from else 0
    return _piece(match, flat, position, amount, paid_from, before, max(after, before))


def flat_within(
    match: Match, flat: FlatTerms, position: int, amount: int, paid_from: int, budget_micros: int
) -> tuple[int, RatedUsage]:
    """The largest part of the piece whose price is within the budget, and that price.

    For rates without a maximum cost. The price of no usage is that of nothing.
    """
    increment, cost, fee, divisor, step, method, _ = flat
    before = -((paid_from - position) // increment) if position > paid_from else 0
    end = position + amount
    after = max(-((paid_from - end) // increment) if end > paid_from else 0, before)
    if paid_from:
        fee = 0
    limit = budget_micros + (_settled(fee + before * cost, flat) if position > paid_from else 0)
    # The largest exact cost that is settled to no more than the limit.
    steps = limit // step
    if method == MIDDLE:
        most = (divisor * (2 * steps + 1) - 1) // 2
    elif method == DOWN:
        most = divisor * (steps + 1) - 1
    else:
        most = divisor * steps
    if fee + after * cost > most:
        after = max(before, (most - fee) // cost) if cost else before
    reached = min(max(paid_from + after * increment, position), end) - position
    if reached <= 0:
        return 0, _new_rated(RatedUsage, (0, 0, 0, 0, paid_from, *match[:4]))
    return reached, _piece(match, flat, position, reached, paid_from, before, after)


def _piece(
    match: Match, flat: FlatTerms, position: int, amount: int, paid_from: int, before: int, after: int
) -> RatedUsage:
    """The price of the increments from number ``before`` to number ``after`` of the session."""
    increment, cost, fee, _, _, _, fee_micros = flat
    if paid_from:
        fee = fee_micros = 0
    price = _settled(fee + after * cost, flat) if after else 0
    if before:
        price -= _settled(fee + before * cost, flat)
    return _new_rated(
        RatedUsage,
        (
            price,
            (after - before) * increment,
            0 if position else fee_micros,
            min(paid_from - position, amount) if paid_from > position else 0,
            paid_from,
            match[0],
            match[1],
            match[2],
            match[3],
        ),
    )


def _settled(numerator: int, flat: FlatTerms) -> int:
    divisor, step, method = flat[3], flat[4], flat[5]
    if method == MIDDLE:
        return (2 * numerator + divisor) // (2 * divisor) * step
    if method == DOWN:
        return numerator // divisor * step
    return -(-numerator // divisor) * step
