"""A deck's bytes as rows of cells: CSV in the usual encodings, or the sheet of a workbook (XLSX)."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from apps.kernel.errors import InvalidInput

MAX_DECK_BYTES = 32 << 20
_MAX_UNPACKED_BYTES = 512 << 20
_MAX_ROWS = 1_048_576
_MAX_COLUMNS = 200
_DELIMITERS = ",;\t|"


class SheetRow(NamedTuple):
    """A row by its number in the file or sheet, with its cells as text or dates."""

    number: int
    cells: Sequence[str | date]


def read_sheet(
    data: bytes, *, sheet: str = "", delimiter: str = "", header_row: int = 1
) -> Iterator[SheetRow]:
    """The rows that are not empty. Raises InvalidInput if the bytes are neither CSV nor a workbook."""
    if len(data) > MAX_DECK_BYTES:
        raise InvalidInput(
            f"the deck has {len(data):,} octets; at most {MAX_DECK_BYTES:,} are taken", code="too_large"
        )
    rows = (
        _workbook_rows(data, sheet) if data[:4] == b"PK\x03\x04" else _csv_rows(data, delimiter, header_row)
    )
    for row in rows:
        if row.number > _MAX_ROWS:
            raise InvalidInput(f"the deck has more than {_MAX_ROWS:,} rows", code="too_large")
        if any(cell if isinstance(cell, str) else True for cell in row.cells):
            yield row


def _csv_rows(data: bytes, delimiter: str, header_row: int) -> Iterator[SheetRow]:
    text = _decoded(data)
    if "\0" in text:
        raise InvalidInput("this is neither CSV nor a workbook (XLSX)", code="invalid_format")
    if not delimiter:
        lines = text.splitlines()[max(header_row - 1, 0) :][:20]
        delimiter = max(_DELIMITERS, key=lambda mark: sum(line.count(mark) for line in lines))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise InvalidInput(f"this is no CSV: {error}", where=f"row {reader.line_num}") from error
        yield SheetRow(reader.line_num, [cell.strip() for cell in cells[:_MAX_COLUMNS]])


def _decoded(data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    else:
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError:
            # What spreadsheets in the west write who do not write UTF-8.
            encoding = "cp1252"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"octet {error.start + 1:,} is no text; save the deck as CSV in UTF-8, or as XLSX",
            code="invalid_encoding",
        ) from error


def _workbook_rows(data: bytes, name: str) -> Iterator[SheetRow]:
    from openpyxl import load_workbook

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise _unreadable(error) from error
    if unpacked > _MAX_UNPACKED_BYTES:
        raise InvalidInput(
            f"the workbook unpacks to {unpacked:,} octets; at most {_MAX_UNPACKED_BYTES:,} are taken",
            code="too_large",
        )
    try:
        workbook = load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
        names = workbook.sheetnames
    # A damaged workbook fails in as many ways as XML and zip can be damaged.
    except Exception as error:
        raise _unreadable(error) from error
    if name and name not in names:
        raise InvalidInput(f"the workbook has no sheet “{name}”, but {', '.join(names)}")
    try:
        page: Any = workbook[name or names[0]]
        # What a sheet says of its size may be a lie, and costs a cell for each.
        page.reset_dimensions()
        for number, row in enumerate(page.iter_rows(values_only=True), 1):
            yield SheetRow(number, [_cell(value) for value in row[:_MAX_COLUMNS]])
    except InvalidInput:
        raise
    except Exception as error:
        raise _unreadable(error) from error


def _unreadable(error: Exception) -> InvalidInput:
    return InvalidInput(f"this workbook cannot be read: {error}", code="invalid_format")


def _cell(value: object) -> str | date:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    if isinstance(value, float):
        # The 15 digits that a spreadsheet shows.
        text = f"{value:.15g}"
        return f"{value:.15f}".rstrip("0").rstrip(".") if "e" in text and abs(value) < 1 else text
    return str(value).strip()
