"""Rate decks of suppliers: previewed, and laid over what is live as drafts."""

from __future__ import annotations

from datetime import date, datetime
from typing import NamedTuple

from apps.kernel.errors import InvalidInputs, NotFound, Problem
from apps.rating.domain.drafts import plan_of
from apps.rating.domain.rate_decks import Deck, DeckRow, Purchase, fold, read_deck, read_sheet
from apps.rating.domain.source import SHARED_TARIFF_PLAN
from apps.rating.domain.tariff_files import write_tariff_files
from apps.rating.models import Supplier, TariffDraft
from apps.rating.selectors.drafts import live_source
from apps.rating.services.drafts import make_draft


class Preview(NamedTuple):
    """The first rows of a deck as they are read, how many there are, and what keeps it from being loaded."""

    rows: list[DeckRow]
    read: int
    problems: list[Problem]


def supplier_of(code: str) -> Supplier:
    """The supplier of a code. Raises NotFound."""
    supplier = Supplier.objects.select_related("tenant").filter(code=code).first()
    if supplier is None:
        raise NotFound(f"there is no supplier {code}; add it in the admin, with the columns of its decks")
    return supplier


def preview_deck(supplier: Supplier, data: bytes, name: str, rows: int = 10) -> Preview:
    """Read a deck and store nothing. Raises InvalidInput if it is no table, or lacks a column."""
    deck = _read(supplier, data, name)
    return Preview(deck.rows[:rows], len(deck.rows), deck.problems)


def load_rate_deck(
    supplier: Supplier,
    data: bytes,
    now: datetime,
    *,
    name: str,
    valid_from: date | None = None,
    received: date | None = None,
    whole: bool = False,
    by: str = "",
) -> TariffDraft:
    """Make a draft of a deck: the supplier's prices from each of its effective days on.

    ``valid_from`` is the day of rows that state none, ``received`` the day from which notice counts; both are today if
    they are left out. ``whole``: destinations that the deck lacks have no price from ``valid_from`` on. Raises
    InvalidInput, or InvalidInputs with every problem; then there is no draft.
    """
    deck = _read(supplier, data, name)
    if deck.problems:
        raise InvalidInputs(deck.problems)
    today = now.astimezone(supplier.tenant.zone).date()
    purchase = Purchase(
        supplier.code,
        supplier.tenant.code,
        supplier.category,
        supplier.subject,
        supplier.tenant.zone,
        supplier.price_unit,
        supplier.notice_days,
    )
    report = fold(
        deck,
        plan_of(live_source(), SHARED_TARIFF_PLAN),
        purchase,
        name=name,
        valid_from=valid_from or today,
        received=received or today,
        whole=whole,
    )
    tables, _ = write_tariff_files(report.plan)
    days = ", ".join(map(str, report.days[:3])) + (", …" if len(report.days) > 3 else "")
    return make_draft(
        {table: text.encode() for table, text in tables.items()},
        now,
        by=by,
        origin=name,
        note=f"{supplier}: {len(deck.rows):,} rows from {days}",
        findings=report.findings,
        scope=f"{supplier.code}:",
    )


def _read(supplier: Supplier, data: bytes, name: str) -> Deck:
    mapping = supplier.mapping
    rows = read_sheet(data, sheet=mapping.sheet, delimiter=mapping.delimiter, header_row=mapping.header_row)
    return read_deck(rows, mapping, name=name, currency=supplier.currency)
