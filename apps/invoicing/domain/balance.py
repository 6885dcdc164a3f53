"""The history of a prepaid balance: every movement with the balance after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from apps.invoicing.domain.bill_data import BillData, Movement
from apps.invoicing.domain.context import BalanceContext, BalanceRow
from apps.invoicing.domain.formats import Formats, digits_needed
from apps.invoicing.domain.text_lines import GAP, LINE_WIDTH, blocks, left, right, widest
from apps.kernel.currencies import minor_unit_micros

MOST_ROWS = 400
"""More movements than these are shown by day and kind."""


def balance_context(bill: BillData, formats: Formats, labels: Mapping[str, str]) -> BalanceContext:
    """From the opening balance over every movement to the closing one."""
    opening = bill.opening_balance_micros or 0
    by_day = len(bill.movements) > MOST_ROWS
    movements = daily(bill.movements, formats) if by_day else bill.movements
    running, states = opening, []
    for movement in movements:
        running += movement.amount_micros
        states.append(running)
    amounts = [movement.amount_micros for movement in movements]
    added = sum(movement.amount_micros for movement in bill.movements if movement.amount_micros > 0)
    taken = sum(movement.amount_micros for movement in bill.movements if movement.amount_micros < 0)
    digits = digits_needed([opening, *amounts, *states], formats.currency_digits)
    rows: list[BalanceRow] = [
        {
            "at": formats.day(movement.at.astimezone(formats.zone).date())
            if by_day
            else formats.instant(movement.at),
            "movement": labels.get(f"movement_{movement.kind}", movement.kind),
            "note": movement.note,
            "amount": formats.decimal(movement.amount_micros, digits),
            "balance": formats.decimal(state, digits),
        }
        for movement, state in zip(movements, states, strict=True)
    ]
    heads: BalanceRow = {
        "at": labels["when"],
        "movement": labels["movement"],
        "note": "",
        "amount": bill.currency,
        "balance": labels["balance"],
    }
    first: BalanceRow = {
        "at": "",
        "movement": "",
        "note": "",
        "amount": "",
        "balance": formats.decimal(opening, digits),
    }
    last: BalanceRow = {**first, "balance": formats.decimal(running, digits)}
    columns = _Columns([heads, first, *rows, last])
    unit = minor_unit_micros(bill.currency)
    return {
        "opening": formats.amount(opening, digits),
        "added": formats.amount(added, digits),
        "taken": formats.amount(taken, digits),
        "closing": formats.amount(running, digits),
        # Down, so that no customer is shown more than there is.
        "closing_with_currency": formats.money(running // unit * unit),
        "rows": rows,
        "text_head": columns.line(heads),
        "text_opening": columns.sum_line(labels["opening_balance"], first["balance"]),
        "text_blocks": blocks([columns.line(row) for row in rows]),
        "text_closing": columns.sum_line(labels["closing_balance"], last["balance"]),
    }


def daily(movements: Sequence[Movement], formats: Formats) -> list[Movement]:
    """One movement a day and kind, in the order in which each first came; the note says of how many."""
    sums: dict[tuple[date, str], list[Movement]] = {}
    for movement in movements:
        sums.setdefault((movement.at.astimezone(formats.zone).date(), movement.kind), []).append(movement)
    return [
        Movement(
            found[0].at,
            kind,
            f"{formats.whole(len(found))} ×" if len(found) > 1 else found[0].note,
            sum(movement.amount_micros for movement in found),
        )
        for (_, kind), found in sums.items()
    ]


class _Columns:
    def __init__(self, rows: Sequence[BalanceRow]) -> None:
        self._at = widest(row["at"] for row in rows)
        self._movement = widest(row["movement"] for row in rows)
        self._amount = widest(row["amount"] for row in rows)
        self._balance = widest(row["balance"] for row in rows)
        self._note = max(
            8, LINE_WIDTH - self._at - self._movement - self._amount - self._balance - 4 * len(GAP)
        )

    def line(self, row: BalanceRow) -> str:
        return GAP.join(
            (
                left(row["at"], self._at),
                left(row["movement"], self._movement),
                left(row["note"], self._note),
                right(row["amount"], self._amount),
                right(row["balance"], self._balance),
            )
        )

    def sum_line(self, label: str, amount: str) -> str:
        return left(label, LINE_WIDTH - self._balance - len(GAP)) + GAP + right(amount, self._balance)
