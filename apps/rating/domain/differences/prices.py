"""Two rating plans compared number by number, each by the longest prefix that it has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from apps.rating.domain import source as src
from apps.rating.domain.differences.pairs import Pair
from apps.rating.domain.differences.terms import aspects, terms, worked_price
from apps.rating.domain.rates import CompiledRate
from apps.rating.domain.source import ANY
from apps.rating.domain.tariff import CompiledPlan, DestinationKey, PlanRates, Tariff

ANY_NUMBER = ""


class Kind(StrEnum):
    """What happens to a price."""

    RISE = "rise"
    FALL = "fall"
    NEW = "new"
    GONE = "gone"
    # The worked price stays; increments, later slots, rounding, caps or hours do not.
    OTHER = "other"


class PriceChange(NamedTuple):
    """One change: the same for all ``prefixes`` of a destination at a timing.

    ``subjects`` are tenant/category/subject of all that it concerns, ``since`` is the Unix second from which it does
    (0: always). Prices are micro-units for ``amount`` seconds, octets or events; None: there is no price.
    """

    kind: Kind
    subjects: tuple[str, ...]
    since: int
    old_plan: str
    new_plan: str
    timing: str
    destination: str
    prefixes: tuple[str, ...]
    amount: int
    old_micros: int | None
    new_micros: int | None
    old_terms: str
    new_terms: str
    what: str

    @property
    def millionths(self) -> int | None:
        """The new price less the old one in millionths of the old one; None without both, or if the old one is 0."""
        if self.old_micros is None or self.new_micros is None or not self.old_micros:
            return None
        return (self.new_micros - self.old_micros) * 1_000_000 // self.old_micros


class _Priced(NamedTuple):
    """What prices a prefix: its destination, its rates, and a number that equal rates share."""

    destination: str
    rates: PlanRates
    signature: int


class Comparison:
    """Compares plans of two tariffs; what is computed of a rate or a plan is computed once."""

    def __init__(self, old: Tariff, new: Tariff) -> None:
        self.sides = (_Side(old, self._signature), _Side(new, self._signature))
        self.signatures: dict[object, int] = {}
        self.of_rates: dict[int, int] = {}
        self.prices: dict[tuple[int, int], int] = {}
        self.terms: dict[int, str] = {}
        self.aspects: dict[tuple[int, int], list[str]] = {}

    def changes(self, pair: Pair) -> Iterator[PriceChange]:
        before, after = self.sides[0].prices(pair.old), self.sides[1].prices(pair.new)
        groups: dict[tuple[int, int], tuple[_Priced | None, _Priced | None, list[str]]] = {}
        for prefix in before.keys() | after.keys():
            was, now = before.get(prefix), after.get(prefix)
            if was is None:
                was = _longest(before, prefix)
            if now is None:
                now = _longest(after, prefix)
            if was is not None and now is not None and was.signature == now.signature:
                continue
            if was is not None or now is not None:
                groups.setdefault((id(was), id(now)), (was, now, []))[2].append(prefix)
        shared = tuple(pair.subjects), pair.since, ", ".join(pair.old_ids), ", ".join(pair.new_ids)
        for was, now, prefixes in groups.values():
            place = _destination(now) or _destination(was), tuple(sorted(prefixes)), pair.amount
            for timing, old, new in self._by_timing(was, now):
                old_price, new_price = self._price(old, pair.amount), self._price(new, pair.amount)
                yield PriceChange(
                    _kind(old_price, new_price), *shared, timing, *place, old_price, new_price,
                    self._terms(old), self._terms(new), self._what(old, new),
                )  # fmt: skip

    def _what(self, old: _Timed | None, new: _Timed | None) -> str:
        if old is None or new is None:
            return ""
        found = list(self._aspects(old.rate, new.rate))
        if old.timing[1:] != new.timing[1:]:
            found.append("hours")
        if old.weight != new.weight:
            found.append("weight")
        return ", ".join(found)

    def _price(self, timed: _Timed | None, amount: int) -> int | None:
        if timed is None:
            return None
        key = (id(timed.rate), amount)
        if key not in self.prices:
            self.prices[key] = worked_price(timed.rate, amount)
        return self.prices[key]

    def _terms(self, timed: _Timed | None) -> str:
        if timed is None:
            return ""
        known = self.terms.get(id(timed.rate))
        if known is None:
            known = self.terms[id(timed.rate)] = terms(timed.rate)
        return known

    def _aspects(self, old: CompiledRate, new: CompiledRate) -> list[str]:
        key = self._rate_signature(old), self._rate_signature(new)
        if key not in self.aspects:
            self.aspects[key] = aspects(old, new)
        return self.aspects[key]

    def _by_timing(
        self, old: _Priced | None, new: _Priced | None
    ) -> Iterator[tuple[str, _Timed | None, _Timed | None]]:
        """The rates of both by timing; one that only one side has is compared with the other's for any time."""
        before, after = _timed(old), _timed(new)
        timings = [
            (timing, before.get(timing) or before.get(ANY), after.get(timing) or after.get(ANY))
            for timing in dict.fromkeys((*after, *before))
        ]
        changed = [
            (t, was, now) for t, was, now in timings if was is None or now is None or self._differ(was, now)
        ]
        # Without a timing that differs, the order of equal weights does, or a rate that another outweighs.
        yield from changed or timings

    def _differ(self, old: _Timed, new: _Timed) -> bool:
        return (
            self._rate_signature(old.rate) != self._rate_signature(new.rate)
            or old.timing[1:] != new.timing[1:]
            or old.weight != new.weight
        )

    def _signature(self, rates: PlanRates) -> int:
        """The same number for the same timings, weights and rates; ids do not matter."""
        value = (
            tuple((timing[1:], weight) for timing, weight in rates.entries),
            tuple(map(self._rate_signature, rates.rates)),
        )
        return self.signatures.setdefault(value, len(self.signatures))

    def _rate_signature(self, rate: CompiledRate) -> int:
        known = self.of_rates.get(id(rate))
        if known is None:
            key, rate = id(rate), rate.as_written
            value = (
                rate.scale,
                rate.denominator,
                rate.fee,
                rate.free_cap,
                rate.disconnect_cap,
                tuple(rate.starts),
                rate.steps,
                rate.rounding,
            )
            known = self.of_rates[key] = self.signatures.setdefault(value, len(self.signatures))
        return known


class _Side:
    """One tariff's plans as what prices each of their prefixes; ``*any`` stands at the empty prefix."""

    def __init__(self, tariff: Tariff, signature: Callable[[PlanRates], int]) -> None:
        self.tariff, self.signature = tariff, signature
        self.known: dict[int, dict[str, _Priced]] = {}
        self._prefixes: dict[DestinationKey, list[str]] = {}

    def prices(self, plan: CompiledPlan | None) -> dict[str, _Priced]:
        if plan is None:
            return {}
        if id(plan) not in self.known:
            self.known[id(plan)] = self._prices(plan)
        return self.known[id(plan)]

    def _prices(self, plan: CompiledPlan) -> dict[str, _Priced]:
        result: dict[str, _Priced] = {}
        if plan.any_rates is not None:
            result[ANY_NUMBER] = _Priced(ANY, plan.any_rates, self.signature(plan.any_rates))
        prefixes = self.prefixes()
        for key, rates in plan.by_destination.items():
            priced = _Priced(key.id, rates, self.signature(rates))
            for prefix in prefixes.get(key, ()):
                rival = result.get(prefix)
                if rival is None or rates.precedence > rival.rates.precedence:
                    result[prefix] = priced
        return result

    def prefixes(self) -> dict[DestinationKey, list[str]]:
        if not self._prefixes:
            for prefix, keys in self.tariff.prefixes.items():
                for key in keys:
                    self._prefixes.setdefault(key, []).append(prefix)
        return self._prefixes


class _Timed(NamedTuple):
    """The rate of a destination at one timing."""

    timing: src.Timing
    weight: Decimal
    rate: CompiledRate


def _longest(prices: Mapping[str, _Priced], prefix: str) -> _Priced | None:
    while prefix:
        prefix = prefix[:-1]
        found = prices.get(prefix)
        if found is not None:
            return found
    return prices.get(ANY_NUMBER)


def _timed(priced: _Priced | None) -> dict[str, _Timed]:
    if priced is None:
        return {}
    result: dict[str, _Timed] = {}
    for (timing, weight), rate in zip(priced.rates.entries, priced.rates.rates, strict=True):
        # Of the same timing the highest weight counts, then the first in the plan.
        known = result.get(timing.id)
        if known is None or weight > known.weight:
            result[timing.id] = _Timed(timing, weight, rate)
    return result


def _destination(priced: _Priced | None) -> str:
    return priced.destination if priced is not None else ""


def _kind(old: int | None, new: int | None) -> Kind:
    if old is None:
        return Kind.NEW
    if new is None:
        return Kind.GONE
    return Kind.OTHER if old == new else Kind.RISE if new > old else Kind.FALL
