"""Rates compiled to integers, and the settling of an exact cost into micro-units.

Source: CGRateS DestinationRates (RoundingMethod, RoundingDecimals, MaxCost) and Rates (GroupIntervalStart).
"""

from __future__ import annotations

from fractions import Fraction
from math import lcm
from typing import NamedTuple

from apps.kernel.money import exact_micros
from apps.kernel.rounding import MICRO_DECIMALS, RoundingMethod
from apps.kernel.units import NANO
from apps.rating.domain.source import DestinationRate, Rate, RateSlot
from apps.rating.domain.timings import FOREVER

FREE = "*free"
DISCONNECT = "*disconnect"
MIDDLE, UP, DOWN = 0, 1, 2
_METHODS = {RoundingMethod.MIDDLE: MIDDLE, RoundingMethod.UP: UP, RoundingMethod.DOWN: DOWN}


class Rounding(NamedTuple):
    """How an exact cost is settled: to multiples of ``step`` micro-units. 0 ``decimals`` = to the micro-unit."""

    decimals: int
    method: int
    step: int

    @property
    def name(self) -> str:
        return {MIDDLE: "*middle", UP: "*up", DOWN: "*down"}[self.method]


EXACT = Rounding(0, MIDDLE, 1)


def rounding_of(method: str, decimals: int) -> Rounding:
    """The rounding of a destination rate; same meaning as :func:`apps.kernel.rounding.round_to_decimals`."""
    if decimals <= 0 or decimals > MICRO_DECIMALS:
        return Rounding(max(decimals, 0), MIDDLE, 1)
    return Rounding(decimals, _METHODS[RoundingMethod(method)], int(10 ** (MICRO_DECIMALS - decimals)))


def settle(numerator: int, denominator: int, rounding: Rounding) -> int:
    """Micro-units of the cost ``numerator / denominator`` (≥ 0), rounded."""
    _, method, step = rounding
    denominator *= step
    if method == MIDDLE:
        return (2 * numerator + denominator) // (2 * denominator) * step
    if method == UP:
        return -(-numerator // denominator) * step
    return numerator // denominator * step


class Slot(NamedTuple):
    """One compiled slot, up to ``end`` units: an increment costs ``cost`` over its rate's denominator."""

    start: int
    end: int
    increment: int
    cost: int
    unit: int
    rate: str


# A rate of one slot without a limit: its increment and what that costs, then fee, round_up, divisor, step and
# fee_micros of :class:`CompiledRate`. A plain tuple, because a named one unpacks several times slower.
OneSlot = tuple[int, int, int, int, int, int, int]


class CompiledRate:
    """The slots, connect fee, rounding and maximum cost of one destination rate.

    ``fee``, the caps and the slots' costs are whole numbers of micro-units / ``denominator``. ``free_cap`` is
    the maximum cost of strategy ``*free``, ``disconnect_cap`` that of ``*disconnect``; None = no limit.
    ``one_slot`` has all in one place if there is one slot and no limit. A cost is rounded to
    ``(cost + round_up) // divisor * step`` micro-units.

    Slots count units of usage, or billionths of them where ``scale`` is NANO: with ``finely``, and for rates that whole
    units cannot be priced by (increments of 1500 ms). Increments that divide a second are gathered to a second for
    usage in whole seconds. ``walked`` rates are priced by a :class:`apps.rating.domain.walk.Walk` alone.
    """

    __slots__ = (
        "_finer",
        "denominator",
        "destination_rate_id",
        "disconnect_cap",
        "divisor",
        "fee",
        "fee_micros",
        "free_cap",
        "one_slot",
        "rate",
        "rate_id",
        "round_up",
        "rounding",
        "scale",
        "slots",
        "starts",
        "step",
        "steps",
        "terms",
        "walked",
    )

    def __init__(self, rate: Rate, terms: DestinationRate, finely: bool = False) -> None:
        self.rate = rate
        self._finer: CompiledRate | None = None
        self.rate_id = rate.id
        self.destination_rate_id = terms.id
        self.terms = terms
        self.rounding = rounding_of(terms.rounding_method, terms.rounding_decimals)
        rows = _rows_by_start(rate)
        self.scale = per = 1
        if rate.nanoseconds and not finely and all(map(_meets_seconds, rows)):
            per = NANO
            rows = [row._replace(increment=max(row.increment, NANO)) for row in rows]
        elif rate.nanoseconds or finely:
            self.scale = NANO
            rows = rows if rate.nanoseconds else _in_nanoseconds(rows)
        fee = Fraction(*exact_micros(rate.slots[0].connect_fee))
        cap = Fraction(*exact_micros(terms.max_cost))
        costs = [Fraction(*exact_micros(row.rate)) * row.increment / row.unit for row in rows]
        # Even, so that half of it is a whole number.
        self.denominator = lcm(2, *(amount.denominator for amount in (fee, cap, *costs)))
        self.fee = int(fee * self.denominator)
        limit = int(cap * self.denominator) or None
        self.free_cap = limit if terms.max_cost_strategy == FREE else None
        self.disconnect_cap = limit if terms.max_cost_strategy == DISCONNECT else None
        if self.free_cap is not None:
            self.fee = min(self.fee, self.free_cap)
        ends = [row.group_start // per for row in rows[1:]] + [FOREVER * self.scale]
        self.slots = tuple(
            Slot(
                row.group_start // per,
                end,
                row.increment // per,
                int(cost * self.denominator),
                -(-row.unit // per),
                row.rate,
            )
            for row, end, cost in zip(rows, ends, costs, strict=True)
        )
        self.starts = [slot.start for slot in self.slots]
        # The same slots as plain tuples, which unpack faster than named ones.
        self.steps = tuple((slot.end, slot.increment, slot.cost) for slot in self.slots)
        self.fee_micros = settle(self.fee, self.denominator, self.rounding)
        _, method, self.step = self.rounding
        self.divisor = self.denominator * self.step
        self.round_up = {MIDDLE: self.divisor // 2, UP: self.divisor - 1, DOWN: 0}[method]
        self.walked = self.free_cap is not None or self.scale != 1
        self.one_slot: OneSlot | None = None
        if len(self.slots) == 1 and not self.walked and self.disconnect_cap is None:
            _, increment, cost = self.steps[0]
            self.one_slot = (
                increment,
                cost,
                self.fee,
                self.round_up,
                self.divisor,
                self.step,
                self.fee_micros,
            )

    @property
    def finer(self) -> CompiledRate:
        """The same rate, whose slots count nanoseconds."""
        if self.scale != 1:
            return self
        if self._finer is None:
            self._finer = CompiledRate(self.rate, self.terms, True)
        return self._finer

    @property
    def as_written(self) -> CompiledRate:
        """The rate whose slots are those of the tariff: itself, or the finer one."""
        return self.finer if self.rate.nanoseconds else self


def _rows_by_start(rate: Rate) -> list[RateSlot]:
    """The rows by ascending start; of equal starts the last one counts. The first also prices usage before it."""
    rows = {row.group_start: row for row in rate.slots}
    first, *later = (rows[start] for start in sorted(rows))
    return [first._replace(group_start=0), *later]


def _in_nanoseconds(rows: list[RateSlot]) -> list[RateSlot]:
    return [
        row._replace(group_start=row.group_start * NANO, unit=row.unit * NANO, increment=row.increment * NANO)
        for row in rows
    ]


def _meets_seconds(row: RateSlot) -> bool:
    """Whether usage in whole seconds costs the same if the row's increments (ns) are gathered to seconds."""
    return row.group_start % NANO == 0 and (row.increment % NANO == 0 or NANO % row.increment == 0)
