"""What differs between two tariffs: for whom, from when, to which numbers prices rise, fall, appear or vanish.

Two rating plans are compared number by number: by the longest prefix that each has, so that a new prefix within a known
country is compared with what its numbers cost before. Prices are worked: of a stated usage, the connect fee included.
What fallback subjects price is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from apps.rating.domain.differences.named import TermChange, product_changes, profile_changes, timing_changes
from apps.rating.domain.differences.pairs import pairs
from apps.rating.domain.differences.prices import Comparison, Kind, PriceChange
from apps.rating.domain.tariff import Tariff

__all__ = [
    "Difference",
    "Kind",
    "PriceChange",
    "TermChange",
    "difference",
    "product_changes",
    "timing_changes",
]


@dataclass
class Difference:
    """All that differs; ``counts`` are prefixes by kind."""

    prices: list[PriceChange] = field(default_factory=list)
    profiles: list[TermChange] = field(default_factory=list)
    timings: list[TermChange] = field(default_factory=list)
    products: list[TermChange] = field(default_factory=list)

    @property
    def counts(self) -> dict[Kind, int]:
        counts = dict.fromkeys(Kind, 0)
        for change in self.prices:
            counts[change.kind] += len(change.prefixes)
        return counts


def difference(old: Tariff, new: Tariff, amounts: Mapping[str, int], default_amount: int = 60) -> Difference:
    """Compare two tariffs. ``amounts`` are the usages that prices are worked for, by category.

    Prices come in the order: rises (the steepest first), falls, new ones, gone ones, others.
    """
    result = Difference()
    comparison = Comparison(old, new)
    for pair in pairs(old, new, amounts, default_amount):
        result.prices += comparison.changes(pair)
    order = {kind: index for index, kind in enumerate(Kind)}
    result.prices.sort(
        key=lambda change: (
            order[change.kind], -abs(change.millionths or 0), change.subjects, change.since, change.destination,
            change.timing, change.prefixes,
        )
    )  # fmt: skip
    result.profiles = list(profile_changes(old, new))
    return result
