"""Tables as files: CSV, and workbooks (XLSX) with a sheet a table. Cells are text or numbers, never formulas."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

# What spreadsheets read as the beginning of a formula or a command. “+” and “-” begin numbers, here and there prefixes.
_FORMULA = ("=", "@", "\t", "\r")
# Characters that XML cannot hold.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_LONGEST_CELL = 32_767


class Sheet(NamedTuple):
    """A table: its headings and rows of text, whole numbers, decimals or nothing."""

    headers: Sequence[str]
    rows: Iterable[Sequence[Any]]


def as_csv(sheet: Sheet) -> str:
    """The table as CSV; text that a spreadsheet would take for a formula begins with an apostrophe."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(sheet.headers)
    for row in sheet.rows:
        writer.writerow(
            ["'" + cell if isinstance(cell, str) and cell.startswith(_FORMULA) else cell for cell in row]
        )
    return text.getvalue()


def as_workbook(sheets: Mapping[str, Sheet]) -> bytes:
    """The tables as a workbook, by the names of its sheets (up to 31 characters)."""
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font

    workbook = Workbook(write_only=True)
    bold = Font(bold=True)

    def cell(page: Any, value: Any, font: Any = None) -> Any:
        if not isinstance(value, str):
            return value if isinstance(value, int | Decimal | None) else str(value)
        text = WriteOnlyCell(page, _FORBIDDEN.sub("", value)[:_LONGEST_CELL])
        text.data_type = "s"
        if font is not None:
            text.font = font
        return text

    for name, sheet in sheets.items():
        page = workbook.create_sheet(name)
        page.freeze_panes = "A2"
        page.append([cell(page, header, bold) for header in sheet.headers])
        for row in sheet.rows:
            page.append([cell(page, value) for value in row])
    out = io.BytesIO()
    workbook.save(out)
    return out.getvalue()
