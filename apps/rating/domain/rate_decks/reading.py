"""The rows of a deck by a supplier's mapping; each error with its row and column."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple, TypeVar

from apps.kernel.errors import InvalidInput, Problem
from apps.rating.domain.rate_decks import values
from apps.rating.domain.rate_decks.mapping import DeckMapping
from apps.rating.domain.rate_decks.sheets import SheetRow
from apps.rating.domain.rate_decks.values import Status

_MAX_PROBLEMS = 1_000
Value = TypeVar("Value")


class DeckRow(NamedTuple):
    """A price from a day on (None: the deck's own day). ``status`` blocked: there is none any more."""

    number: int
    destination: str
    prefixes: tuple[str, ...]
    price: str
    connect_fee: str
    first: int
    following: int
    effective: date | None
    status: Status | None


@dataclass
class Deck:
    """What reading gives."""

    rows: list[DeckRow] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def read_deck(rows: Iterable[SheetRow], mapping: DeckMapping, *, name: str, currency: str) -> Deck:
    """Read all rows; past a thousand problems the rest is not told. ``name`` is the file's, for places.

    Raises InvalidInput if a column of the mapping is not there.
    """
    reader = _Reader(mapping, name, currency)
    for row in rows:
        if row.number < mapping.header_row:
            continue
        if reader.places is None:
            reader.places = _places(mapping, row if mapping.header_row else None, name)
            if mapping.header_row:
                continue
        reader.read(row)
    if reader.places is None:
        raise InvalidInput("the deck has no rows", where=name)
    if not reader.deck.rows and not reader.deck.problems:
        raise InvalidInput("the deck has headings, and no prices below them", where=name)
    return reader.deck


class _Place(NamedTuple):
    at: int
    label: str


def _places(mapping: DeckMapping, headings: SheetRow | None, name: str) -> dict[str, _Place]:
    """By field, where its column is: by heading, else by letter."""
    cells = [str(cell) for cell in headings.cells] if headings is not None else []
    by_heading = {cell.casefold(): index for index, cell in reversed(list(enumerate(cells)))}
    places = {}
    for field_name, column in mapping.columns().items():
        index = by_heading.get(column.strip().casefold())
        if index is None:
            index = _letter(column)
        if index is None:
            there = ", ".join(cell for cell in cells if cell) or "none"
            raise InvalidInput(
                f"there is no column “{column}” for {field_name.replace('_', ' ')}; the headings are {there[:300]}",
                where=f"{name}, row {mapping.header_row}",
            )
        places[field_name] = _Place(
            index, f"{column} ({letter(index)})" if column != letter(index) else column
        )
    return places


def _letter(column: str) -> int | None:
    text = column.strip().upper()
    if not text.isascii() or not text.isalpha() or len(text) > 2:
        return None
    index = 0
    for character in text:
        index = index * 26 + ord(character) - ord("A") + 1
    return index - 1


def letter(index: int) -> str:
    """A column's letters: 0 is A, 26 is AA."""
    text = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        text = chr(ord("A") + rest) + text
    return text


class _Reader:
    def __init__(self, mapping: DeckMapping, name: str, currency: str) -> None:
        self.mapping, self.name, self.currency = mapping, name, currency
        self.deck = Deck()
        self.places: dict[str, _Place] | None = None
        self.seen: dict[tuple[str, date | None], DeckRow] = {}
        self.defaults = values.increments(mapping.increments)

    def read(self, row: SheetRow) -> None:
        if not self._cell(row, "prefix") and not self._cell(row, "price"):
            # A blank line, a subtitle or a footer.
            return
        country = str(self._cell(row, "country_code"))
        found = self._parsed(row, "prefix", lambda cell: values.prefixes(str(cell), country))
        status = self._parsed(row, "status", lambda cell: values.status(str(cell)))
        comma = self.mapping.decimal_comma
        price: str | None = "0"
        if status is not Status.BLOCKED:
            price = self._parsed(row, "price", lambda cell: values.price(str(cell), decimal_comma=comma))
        fee = self._parsed(
            row, "connect_fee", lambda cell: values.price(str(cell) or "0", decimal_comma=comma)
        )
        steps = self._parsed(
            row, "increment", lambda cell: values.increments(str(cell)) if cell else self.defaults
        )
        date_format = self.mapping.date_format
        effective = self._parsed(
            row, "effective", lambda cell: values.day(cell, date_format) if cell else None
        )
        self._parsed(row, "currency", self._check_currency)
        if self.failed or found is None or price is None or fee is None or steps is None:
            self.failed = False
            return
        destination = str(self._cell(row, "destination")) or found[0]
        self._add(DeckRow(row.number, destination, found, price, fee, *steps, effective, status))

    failed = False

    def _add(self, row: DeckRow) -> None:
        for prefix in row.prefixes:
            other = self.seen.setdefault((prefix, row.effective), row)
            if other is not row and other[3:7] != row[3:7]:
                self._problem(
                    row.number,
                    "prefix",
                    f"prefix {prefix} stands in row {other.number} with another price; keep one",
                )
                return
        self.deck.rows.append(row)

    def _cell(self, row: SheetRow, field_name: str) -> str | date:
        place = (self.places or {}).get(field_name)
        return row.cells[place.at] if place is not None and place.at < len(row.cells) else ""

    def _parsed(self, row: SheetRow, field_name: str, parse: Callable[[str | date], Value]) -> Value | None:
        try:
            return parse(self._cell(row, field_name))
        except InvalidInput as error:
            self._problem(row.number, field_name, error.message)
            self.failed = True
            return None

    def _problem(self, number: int, field_name: str, message: str) -> None:
        if len(self.deck.problems) < _MAX_PROBLEMS:
            label = (self.places or {}).get(field_name, _Place(0, field_name)).label
            self.deck.problems.append(Problem(f"{self.name}, row {number}, column {label}", message))

    def _check_currency(self, cell: str | date) -> None:
        if cell and str(cell).upper() != self.currency:
            raise InvalidInput(f"“{str(cell)[:30]}” is not this supplier's currency, {self.currency}")
