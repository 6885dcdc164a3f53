"""Rate decks of suppliers: price lists as CSV or XLSX, in each supplier's own columns, as tables of a tariff folder."""

from apps.rating.domain.rate_decks.folding import Purchase, Report, fold
from apps.rating.domain.rate_decks.mapping import DATE_FORMATS, DeckMapping
from apps.rating.domain.rate_decks.reading import Deck, DeckRow, read_deck
from apps.rating.domain.rate_decks.sheets import MAX_DECK_BYTES, read_sheet

__all__ = [
    "DATE_FORMATS",
    "MAX_DECK_BYTES",
    "Deck",
    "DeckMapping",
    "DeckRow",
    "Purchase",
    "Report",
    "fold",
    "read_deck",
    "read_sheet",
]
