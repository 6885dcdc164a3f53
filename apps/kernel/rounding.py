"""Exact rounding of rationals to integers and to money; the only place where a price loses digits."""

from __future__ import annotations

from enum import StrEnum

MICRO_DECIMALS = 6


class RoundingMethod(StrEnum):
    """How a value between two steps is settled; names as in the CGRateS DestinationRates file.

    ``UP`` goes away from zero, ``DOWN`` toward zero, ``MIDDLE`` to the nearest, halves away from zero.
    Being symmetric about zero, a refund undoes the charge that it mirrors.
    """

    UP = "*up"
    DOWN = "*down"
    MIDDLE = "*middle"


def round_ratio(numerator: int, denominator: int, method: RoundingMethod) -> int:
    """The integer that ``numerator / denominator`` (denominator > 0) rounds to by ``method``."""
    if numerator < 0:
        return -round_ratio(-numerator, denominator, method)
    if method is RoundingMethod.UP:
        return -(-numerator // denominator)
    if method is RoundingMethod.DOWN:
        return numerator // denominator
    return (2 * numerator + denominator) // (2 * denominator)


def round_to_decimals(numerator: int, denominator: int, method: RoundingMethod, decimals: int) -> int:
    """Micro-units of an amount of ``numerator / denominator`` micro-units, at ``decimals`` of the unit.

    ``decimals`` counts digits after the currency unit's point: 4 leaves multiples of 100 micro-units.
    0 means "not rounded" (CGRateS), and so does anything finer than a micro-unit; such an amount
    is settled to the nearest micro-unit, the smallest that exists here.
    """
    if decimals <= 0 or decimals > MICRO_DECIMALS:
        return round_ratio(numerator, denominator, RoundingMethod.MIDDLE)
    step = 10 ** (MICRO_DECIMALS - decimals)
    return int(round_ratio(numerator, denominator * step, method) * step)
