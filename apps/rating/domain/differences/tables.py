"""A difference as tables: headings and rows of text and numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from apps.kernel.money import format_micros
from apps.rating.domain.differences import Difference, PriceChange, TermChange

# A cell of a workbook holds some 32,000 characters.
_PREFIXES_A_ROW = 1_500
PRICE_HEADERS = (
    "Change", "Destination", "Timing", "Prefixes", "Price of", "Old price", "New price", "Percent", "What differs",
    "Old terms", "New terms", "For", "From", "Old plan", "New plan",
)  # fmt: skip
TERM_HEADERS = ("Of", "Name", "Old", "New")
Units = Mapping[str, tuple[int, str]]


def price_rows(changes: Iterable[PriceChange], units: Units) -> Iterator[tuple[Any, ...]]:
    """A row for each change, or several for very many prefixes. ``units`` are those of sale, by category."""
    for change in changes:
        for first in range(0, len(change.prefixes), _PREFIXES_A_ROW):
            yield (
                change.kind.value,
                change.destination,
                change.timing,
                " ".join(change.prefixes[first : first + _PREFIXES_A_ROW]) or change.destination,
                usage_label(change, units),
                amount(change.old_micros),
                amount(change.new_micros),
                percent(change.millionths),
                change.what,
                change.old_terms,
                change.new_terms,
                " ".join(change.subjects),
                since(change.since),
                change.old_plan,
                change.new_plan,
            )


def term_rows(changed: Difference) -> Iterator[tuple[str, ...]]:
    """The changes of rating profiles, timings and products."""
    for profile in changed.profiles:
        yield (f"profile {profile.of}", f"from {since(int(profile.name))}", profile.old, profile.new)
    for change in changed.timings:
        yield (f"timing of {change.of}", change.name, change.old, change.new)
    yield from map(_product, changed.products)


def _product(change: TermChange) -> tuple[str, ...]:
    if not change.name.endswith("_micros"):
        return change.of, change.name.replace("_", " "), change.old, change.new
    money = (format_micros(int(text)) if text else "" for text in (change.old, change.new))
    return change.of, change.name.removesuffix("_micros").replace("_", " "), *money


def usage_label(change: PriceChange, units: Units) -> str:
    """What the prices of a change are for: ``1 min``, or a plain number of units."""
    category = change.subjects[0].split("/")[1] if change.subjects else ""
    size, label = units.get(category, (0, ""))
    return f"1 {label}" if size == change.amount else str(change.amount)


def amount(micros: int | None) -> Decimal | None:
    """Units of the currency."""
    return None if micros is None else Decimal(format_micros(micros))


def percent(millionths: int | None) -> Decimal | None:
    """With two decimals."""
    return None if millionths is None else (Decimal(millionths) / 10_000).quantize(Decimal("0.01"))


def since(epoch: int) -> str:
    """An instant in UTC; nothing if it always holds."""
    return f"{datetime.fromtimestamp(epoch, UTC):%Y-%m-%d %H:%M}" if epoch else ""
