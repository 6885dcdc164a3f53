"""The one context of both templates, key by key: strings, whole numbers, lists and dicts, so it is JSON as well.

Amounts and dates are text already, in the bill's language, currency and time zone. Amounts in tables have no currency
symbol (``currency`` heads their column) and are exact: as many decimals as they need, filled up with figure spaces
(U+2007) so that the points of a column align. ``manage.py billcontext ID`` prints a bill's context, for
authors of templates.
"""

from __future__ import annotations

from typing import TypedDict


class PeriodContext(TypedDict):
    """The days that a bill is for, both included."""

    start: str
    end: str
    text: str
    """Both in one: “1–31 Jan 2026”."""


class LetterheadContext(TypedDict):
    """Who sends the bill."""

    name: str
    address: list[str]
    tax_number: str
    contact: list[str]
    payment_details: list[str]


class CustomerContext(TypedDict):
    """Whom the bill is for."""

    number: str
    name: str
    address: list[str]
    """Lines below the name; the country's name last."""
    tax_number: str


class AccountContext(TypedDict):
    number: str
    kind: str
    """``prepaid`` or ``postpaid``."""


class SummaryRow(TypedDict):
    kind: str
    """``recurring``, ``usage``, ``one_off``, ``discount``, ``online``, ``net`` or ``tax``."""
    label: str
    amount: str


class SummaryContext(TypedDict):
    """The bill in a few rows; all but ``net`` (a sub-total) add up to the total. Rows of nothing are left out."""

    rows: list[SummaryRow]
    total: str
    credit: str
    """What credits of former bills pay of it (a negative amount); empty if none."""
    due: str
    due_with_currency: str
    """Of a credit without its sign: ``due_label`` says whose it is."""
    due_label: str
    note: str
    """What the customer has to do, in a sentence."""


class ChargeRow(TypedDict):
    """A recurring or one-off charge, or a discount."""

    description: str
    line: str
    """The subscriber's number; empty if it is for the whole account."""
    period: str
    amount: str


class ChargesContext(TypedDict):
    kind: str
    title: str
    rows: list[ChargeRow]
    total: str


class UsageRow(TypedDict):
    service: str
    """Empty if it is the one of the row above."""
    destination: str
    records: str
    usage: str
    free: str
    """Empty if nothing was free."""
    amount: str


class LineUsageContext(TypedDict):
    """Usage of one subscriber by service and destination."""

    line: str
    rows: list[UsageRow]
    total: str


class UsageContext(TypedDict):
    lines: list[LineUsageContext]
    total: str


class TaxRow(TypedDict):
    name: str
    rate: str
    base: str
    amount: str


class TaxesContext(TypedDict):
    rows: list[TaxRow]
    total: str


class HistoryRow(TypedDict):
    """One call, message or session."""

    when: str
    other_party: str
    destination: str
    usage: str
    free: str
    amount: str


class HistoryGroup(TypedDict):
    """Itemised usage of one subscriber and service, in order of time."""

    line: str
    service: str
    rows: list[HistoryRow]
    further: str
    """“12 further records”: how many are not in ``rows``, which is bounded; empty if none are left out."""
    further_amount: str
    total_label: str
    total: str
    """Of all records, those left out included."""
    text_head: str
    """The column heads, and in ``text_blocks`` the rows, a few in each, as lines for a fixed-width font. One text
    lays out eight times as fast as a table of cells, and stays a line when it is copied from the PDF."""
    text_blocks: list[str]
    text_further: str
    text_total: str


class HistoryContext(TypedDict):
    groups: list[HistoryGroup]
    notes: list[str]
    """How exact it is, and where the list was cut."""


class BalanceRow(TypedDict):
    at: str
    movement: str
    note: str
    amount: str
    balance: str
    """After the movement."""


class BalanceContext(TypedDict):
    """Prepaid: what happened to the balance; opening, every row and closing are one running sum."""

    opening: str
    added: str
    taken: str
    closing: str
    closing_with_currency: str
    """In the currency's decimals, rounded down."""
    rows: list[BalanceRow]
    """Every movement; if there are many, one a day and kind."""
    text_head: str
    """As in HistoryGroup: heads, rows and the opening and closing balances as lines of a fixed-width font."""
    text_opening: str
    text_blocks: list[str]
    text_closing: str


class ChartContext(TypedDict):
    title: str
    svg: str
    """Inline SVG, safe to put into HTML as it is; empty if nothing was used."""


class BillContext(TypedDict):
    """What ``prepaid.html`` and ``postpaid.html`` get."""

    language: str
    """Of the words, such as ``de``; for the document's ``lang``."""
    title: str
    bill_id: str
    """The row's id, as in the file's name."""
    bill_number: str
    """The bill's own number: what the customer quotes."""
    number_label: str
    revision_note: str
    """Of a re-issue; else empty."""
    correction_note: str
    """Of a credit note: which bill it cancels; else empty."""
    year: int
    month: int
    """The calendar month in which the period begins (as in the file's path)."""
    month_name: str
    period: PeriodContext
    issued_on: str
    due_on: str
    """Empty if nothing falls due."""
    currency: str
    """ISO 4217 code."""
    amount_head: str
    """Head of columns of amounts: “Amount (EUR)”."""
    letterhead: LetterheadContext
    customer: CustomerContext
    account: AccountContext
    summary: SummaryContext
    recurring: ChargesContext
    usage: UsageContext
    one_offs: ChargesContext
    online: ChargesContext
    """What gateways debited, without the taxes that were in it; postpaid only."""
    discounts: ChargesContext
    taxes: TaxesContext
    history: HistoryContext
    balance: BalanceContext | None
    """Prepaid only."""
    chart: ChartContext
    labels: dict[str, str]
    """Every word of the templates in the bill's language (``domain/labels``)."""
    created: str
    """ISO 8601 day of issue, for the document's properties."""
