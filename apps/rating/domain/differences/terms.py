"""A rate in words, its price for a stated usage, and in which respects two rates differ."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from apps.kernel.money import MICROS_PER_UNIT
from apps.kernel.units import figure
from apps.rating.domain.flat import price
from apps.rating.domain.rates import CompiledRate, settle
from apps.rating.domain.usage import NOTHING_MATCHED


def worked_price(rate: CompiledRate, amount: int) -> int:
    """Micro-units of a session of ``amount`` units that stays at this rate."""
    rate = rate.as_written
    cost = price(NOTHING_MATCHED, rate, 0, amount * rate.scale, 0).cost_micros
    if rate.free_cap is None:
        return cost
    return min(cost, settle(rate.free_cap, rate.denominator, rate.rounding))


def terms(rate: CompiledRate) -> str:
    """``1.2 for 60 by 30; from 60: 0.6 for 60 by 1; connect 0.1; *up 4; at most 5 (*free)``."""
    rate = rate.as_written
    in_ns = rate.scale != 1
    parts = [
        f"{f'from {figure(slot.start, in_ns)}: ' if slot.start else ''}"
        f"{slot.rate} for {figure(slot.unit, in_ns)} by {figure(slot.increment, in_ns)}"
        for slot in rate.slots
    ]
    if rate.fee:
        parts.append(f"connect {_amount(rate.fee, rate.denominator)}")
    if rate.rounding.decimals:
        parts.append(f"{rate.rounding.name} {rate.rounding.decimals}")
    if rate.terms.max_cost_strategy:
        parts.append(f"at most {rate.terms.max_cost} ({rate.terms.max_cost_strategy})")
    return "; ".join(parts)


def aspects(old: CompiledRate, new: CompiledRate) -> list[str]:
    """The respects in which two rates differ; empty if they price everything alike."""
    old, new = old.as_written, new.as_written
    found = []
    if _costs(old) != _costs(new):
        found.append("rate")
    if _shape(old) != _shape(new):
        found.append("increments")
    if Fraction(old.fee, old.denominator) != Fraction(new.fee, new.denominator):
        found.append("connect fee")
    if old.rounding != new.rounding:
        found.append("rounding")
    if _caps(old) != _caps(new):
        found.append("maximum cost")
    return found


def _costs(rate: CompiledRate) -> list[Fraction]:
    """Micro-units a unit, slot by slot."""
    return [Fraction(slot.cost * rate.scale, rate.denominator * slot.increment) for slot in rate.slots]


def _shape(rate: CompiledRate) -> list[tuple[Fraction, Fraction]]:
    return [(Fraction(slot.start, rate.scale), Fraction(slot.increment, rate.scale)) for slot in rate.slots]


def _caps(rate: CompiledRate) -> tuple[Fraction | None, ...]:
    return tuple(
        None if cap is None else Fraction(cap, rate.denominator)
        for cap in (rate.free_cap, rate.disconnect_cap)
    )


def _amount(numerator: int, denominator: int) -> str:
    return f"{(Decimal(numerator) / (denominator * MICROS_PER_UNIT)).normalize():f}"
