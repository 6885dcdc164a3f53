"""How one supplier writes its rate decks."""

from __future__ import annotations

from typing import NamedTuple

# By what people call them: the format of ``strptime``.
DATE_FORMATS = {
    "YYYY-MM-DD": "%Y-%m-%d",
    "DD.MM.YYYY": "%d.%m.%Y",
    "DD/MM/YYYY": "%d/%m/%Y",
    "MM/DD/YYYY": "%m/%d/%Y",
    "DD-MM-YYYY": "%d-%m-%Y",
    "DD-Mon-YYYY": "%d-%b-%Y",
    "YYYYMMDD": "%Y%m%d",
}


class DeckMapping(NamedTuple):
    """Columns by heading or by letter (``A``); an empty one is not in the deck.

    ``header_row`` is the row of headings, counted from 1; 0: there is none, and columns go by letter. Prices are for
    ``price_unit`` units (60: a minute). ``increments`` apply to rows that state none, as ``first/next``.
    """

    destination: str = ""
    country_code: str = ""
    prefix: str = "Prefix"
    price: str = "Price"
    increment: str = ""
    connect_fee: str = ""
    effective: str = ""
    status: str = ""
    currency: str = ""
    header_row: int = 1
    sheet: str = ""
    delimiter: str = ""
    decimal_comma: bool = False
    date_format: str = "YYYY-MM-DD"
    price_unit: int = 60
    increments: str = "60/60"

    def columns(self) -> dict[str, str]:
        """The columns that the deck has, by field."""
        return {name: column for name, column in zip(self._fields[:9], self[:9], strict=True) if column}
