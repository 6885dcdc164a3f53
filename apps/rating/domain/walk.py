"""The walk over a session's paid increments: the exact cost of its first x units, for any x.

Source: CGRateS ``engine/calldesc.go`` (``splitInTimeSpans``, ``GetCost``) for intervals, increments and the connect
fee. Unlike there, increments are not rounded: the session's cost is rounded once.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from math import gcd
from typing import NamedTuple

from apps.rating.domain.rates import EXACT, CompiledRate, Slot, settle
from apps.rating.domain.resolution import Era, Match
from apps.rating.domain.timings import FOREVER, NO_TIMING


class Segment(NamedTuple):
    """A run of increments of one slot. ``cost`` is the session's up to the segment's end, exact, as a ratio."""

    position: int
    epoch: int
    increments: int
    slot: Slot
    rate: CompiledRate
    match: Match
    timing: int
    cost: tuple[int, int]


class FinerRate(Exception):
    """A walk in whole units met a rate whose increments it cannot follow; nanoseconds can."""


class Walk:
    """A session from where payment begins, billed increment after increment.

    ``origin`` is the Unix second of session position 0 for voice, whose position moves with the clock. Other
    usage has no origin: it stays at ``epoch``, so that its interval is chosen once. ``era`` is that of
    ``epoch``; ``era_at`` finds others and raises RatingError if there is no rate. Positions count units, or
    billionths of them if ``scale`` is NANO. In units, it raises FinerRate where a rate needs the other scale; with
    ``as_written`` also where increments of the tariff are gathered to seconds.
    """

    __slots__ = (
        "_as_written",
        "_band_end",
        "_era",
        "_era_at",
        "_match",
        "_pays_fee",
        "_rate",
        "_scale",
        "_timing",
        "denominator",
        "epoch",
        "fee",
        "numerator",
        "origin",
        "position",
        "rounding",
        "scale",
    )

    def __init__(
        self,
        era: Era,
        era_at: Callable[[int], Era] | None,
        epoch: int,
        origin: int | None,
        paid_from: int,
        scale: int = 1,
        as_written: bool = False,
    ) -> None:
        self.scale, self._as_written = scale, as_written
        self._era, self._era_at = era, era_at
        self.epoch, self.origin = epoch, origin
        self.position = paid_from
        self.numerator, self.denominator = 0, 1
        self.fee = 0
        self.rounding = EXACT
        self._pays_fee = paid_from == 0
        self._band_end = -1

    def settled(self) -> int:
        """The cost so far in micro-units, rounded as the segments so far ask for."""
        return settle(self.numerator, self.denominator, self.rounding)

    def settled_at(self, position: int) -> tuple[int, int]:
        """Advance to a later piece's beginning: the cost settled before it, and the position billed up to."""
        if position <= self.position:
            return 0, self.position
        self.advance(position)
        return self.settled(), self.position

    def settled_fee(self) -> int:
        """The connect fee, rounded in the same way."""
        return settle(self.fee, self.denominator, self.rounding) if self.fee else 0

    def advance(self, upto: int, trail: list[Segment] | None = None) -> None:
        """Bill every increment that begins before ``upto``; ``trail`` collects the segments."""
        position = self.position
        while position < upto:
            if position >= self._band_end:
                self._enter_band(position)
            band_end, rate, numerator, scale = self._band_end, self._rate, self.numerator, self._scale
            cap = rate.free_cap
            end = band_end if band_end < upto else upto
            steps = rate.steps
            index = bisect_right(rate.starts, position) - 1
            while position < end:
                slot_end, increment, cost = steps[index]
                if slot_end <= position:
                    index += 1
                    continue
                increments = -((position - (slot_end if slot_end < end else end)) // increment)
                if cap is None:
                    numerator += increments * cost * scale
                else:
                    numerator = max(numerator, min(numerator + increments * cost * scale, cap * scale))
                if trail is not None:
                    self._note(trail, position, increments, rate.slots[index], numerator)
                position += increments * increment
            self.numerator = numerator
        self.position = position

    def advance_within(self, upto: int, limit_micros: int) -> None:
        """As :meth:`advance`, but stop before the increment that would make the cost more than
        ``limit_micros``, or exceed a maximum cost of strategy ``*disconnect``."""
        while self.position < upto:
            position = self.position
            if position >= self._band_end:
                self._enter_band(position)
            slot = self._rate.slots[bisect_right(self._rate.starts, position) - 1]
            increments = -((position - min(slot.end, self._band_end, upto)) // slot.increment)
            affordable = self._affordable(increments, slot, limit_micros)
            self.numerator = self._cost_after(affordable, slot)
            self.position = position + affordable * slot.increment
            if affordable < increments:
                return

    def _enter_band(self, position: int) -> None:
        """Find the interval at ``position`` and the position up to which it stays."""
        at = self._clock(position)
        era = self._era
        if self._era_at is not None and not era.since <= at < era.until:
            era = self._era = self._era_at(at)
        match = era.match
        assert match is not None, "era_at raises if there is no match"
        timing, until = match.schedule.always, era.until
        if timing < 0:
            timing, until = match.schedule.at(at)
            if timing == NO_TIMING:
                raise match.gap(at)
            until = min(until, era.until)
        rate = match.rates[timing]
        if self.scale != 1:
            rate = rate.finer
        elif rate.scale != 1 or (self._as_written and rate.rate.nanoseconds):
            raise FinerRate
        self._match, self._timing, self._rate = match, timing, rate
        self._band_end = (FOREVER if self.origin is None else until - self.origin) * self.scale
        if rate.denominator != self.denominator:
            widened = rate.denominator // gcd(rate.denominator, self.denominator)
            self.numerator *= widened
            self.fee *= widened
            self.denominator *= widened
        self._scale = self.denominator // rate.denominator
        if rate.rounding.decimals > self.rounding.decimals:
            self.rounding = rate.rounding
        if self._pays_fee:
            self._pays_fee = False
            self.fee = self.numerator = rate.fee * self._scale

    def _clock(self, position: int) -> int:
        """The Unix second of a position."""
        return self.epoch if self.origin is None else self.origin + position // self.scale

    def _cost_after(self, increments: int, slot: Slot) -> int:
        """The numerator of the cost once ``increments`` more of ``slot`` are billed."""
        cost = self.numerator + increments * slot.cost * self._scale
        cap = self._rate.free_cap
        return cost if cap is None else max(self.numerator, min(cost, cap * self._scale))

    def _affordable(self, increments: int, slot: Slot, limit_micros: int) -> int:
        """The largest number of increments, at most ``increments``, that stays within the limits."""
        cap = self._rate.disconnect_cap

        def fits(count: int) -> bool:
            cost = self._cost_after(count, slot)
            if cap is not None and cost > cap * self._scale:
                return False
            return settle(cost, self.denominator, self.rounding) <= limit_micros

        if fits(increments):
            return increments
        low, high = 0, increments
        while high - low > 1:
            middle = (low + high) // 2
            if fits(middle):
                low = middle
            else:
                high = middle
        return low

    def _note(self, trail: list[Segment], position: int, increments: int, slot: Slot, numerator: int) -> None:
        epoch = self._clock(position)
        cost = (numerator, self.denominator)
        last = trail[-1] if trail else None
        # Midnight in UTC ends a precomputed band, not a segment.
        if last and last.slot is slot and last.match is self._match and last.timing == self._timing:
            trail[-1] = last._replace(increments=last.increments + increments, cost=cost)
        else:
            trail.append(
                Segment(position, epoch, increments, slot, self._rate, self._match, self._timing, cost)
            )
