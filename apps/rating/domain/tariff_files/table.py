"""Comma-separated tariff tables: text in; rows with their lines, faults and warnings, out."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

from apps.kernel.errors import InvalidInput, Problem

Value = TypeVar("Value")
MAX_PROBLEMS = 1_000
# The line of a value that does not come from the folder but was loaded before.
LIVE = 0


class Row(NamedTuple):
    """One record of a table: the line it ends at and its cells by column name."""

    line: int
    cells: Mapping[str, str]


class Fault(NamedTuple):
    """An error in a row of ``file``. ``owner`` is the id the row belongs to; empty: of the file as a whole."""

    file: str
    owner: str
    problem: Problem


class Layout(NamedTuple):
    """Columns in their order; the last ``optional`` ones may be left out. ``aliases`` are other headings.

    ``marks``: without headings, a row has this layout if its first cell is one of them.
    """

    columns: tuple[str, ...]
    optional: int = 0
    aliases: Mapping[str, str] = {}
    marks: tuple[str, ...] = ()

    def heading(self, cell: str) -> str | None:
        """The column that a heading names, or None."""
        folded = cell.strip().lstrip("#").strip().casefold()
        for column in self.columns:
            if column.casefold() == folded:
                return column
        for alias, column in self.aliases.items():
            if alias.casefold() == folded:
                return column
        return None


class TableReader:
    """Reads one table (``name`` without ``.csv``) and collects faults and warnings.

    ``owner_column`` holds the id that a row belongs to; a fault in the row is a fault of that id.
    """

    def __init__(self, name: str, owner_column: str = "") -> None:
        self.name = name
        self.owner_column = owner_column
        self.faults: list[Fault] = []
        self.warnings: list[Problem] = []

    def fault(self, row: Row, column: str, message: str, code: str = "invalid_input") -> None:
        """Add an error; past a thousand they are dropped."""
        if len(self.faults) < MAX_PROBLEMS:
            problem = Problem(place(self.name, row.line, column), message, code)
            self.faults.append(Fault(self.name, row.cells.get(self.owner_column, ""), problem))

    def warn(self, row: Row, column: str, message: str, code: str) -> None:
        """Add a warning: the odd value, and how the load reads it."""
        if len(self.warnings) < MAX_PROBLEMS:
            self.warnings.append(Problem(place(self.name, row.line, column), message, code))

    def rows(self, data: bytes, layouts: Sequence[Layout]) -> Iterator[Row]:
        """The records of a table with one of the layouts, told apart by heading or by number of columns.

        Blank lines and lines that begin with “#” are skipped; a first row of headings decides the order.
        """
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            column = error.start - data.rfind(b"\n", 0, error.start)
            self.fault(
                Row(line, {}), str(column), "this is not UTF-8; save the file as UTF-8", "invalid_encoding"
            )
            return
        # Text without quotation marks needs no look at its lines: a row that begins with “#” is a comment.
        quoted = '"' in text
        lines = _without_comments(text) if quoted else io.StringIO(text, newline=None)
        reader = csv.reader(lines, skipinitialspace=True, strict=True)
        columns: tuple[str | None, ...] | None = None
        usual = layouts[0].columns if len(layouts) == 1 else None
        first = True
        try:
            for cells in reader:
                if not cells or not any(cell.strip() for cell in cells):
                    continue
                # A comment that a spreadsheet has put into quotation marks stands alone in its row.
                if cells[0].lstrip().startswith("#") and not (quoted and any(map(str.strip, cells[1:]))):
                    continue
                if first:
                    first = False
                    columns = self._headings(cells, layouts)
                    if columns is not None:
                        self._demand_columns(reader.line_num, columns, layouts)
                        continue
                # All rows of most tables have the columns of their only layout.
                names = columns or usual
                if names is None or (columns is None and len(cells) < len(names)):
                    names = self._columns_of(cells, layouts, reader.line_num)
                if names is None:
                    continue
                if len(cells) > len(names) and any(cell.strip() for cell in cells[len(names) :]):
                    self.fault(
                        Row(reader.line_num, {}),
                        str(len(names) + 1),
                        f"rows have {len(names)} columns, this one {len(cells)}; quote values with a comma in them",
                    )
                    continue
                row = {name: cell.strip() for name, cell in zip(names, cells, strict=False) if name}
                yield Row(reader.line_num, row)
        except csv.Error as error:
            self.fault(Row(reader.line_num, {}), "1", f"this is not comma-separated text: {error}")

    def field(
        self, row: Row, column: str, parse: Callable[[str], Value], missing: str | None = None
    ) -> Value | None:
        """The parsed cell, or None after noting why it is wrong; ``missing`` stands in for an absent column."""
        text = row.cells.get(column)
        if text is None:
            if missing is None:
                self.fault(row, column, "this column is missing")
                return None
            text = missing
        try:
            return parse(text)
        except InvalidInput as error:
            self.fault(row, column, error.message, error.code)
            return None

    def _headings(self, cells: Sequence[str], layouts: Sequence[Layout]) -> tuple[str | None, ...] | None:
        for layout in layouts:
            names = tuple(layout.heading(cell) for cell in cells)
            if any(names) and all(name or not cell.strip() for name, cell in zip(names, cells, strict=True)):
                return names
        return None

    def _demand_columns(self, line: int, columns: Sequence[str | None], layouts: Sequence[Layout]) -> None:
        shortest = min(layouts, key=lambda layout: len(layout.columns))
        needed = shortest.columns[: len(shortest.columns) - shortest.optional]
        for column in needed:
            if column not in columns:
                self.fault(Row(line, {}), column, "the headings lack this column")

    def _columns_of(
        self, cells: Sequence[str], layouts: Sequence[Layout], line: int
    ) -> tuple[str, ...] | None:
        marked = [layout for layout in layouts if cells[0].strip().casefold() in layout.marks]
        layout = marked[0] if marked else next(layout for layout in layouts if not layout.marks)
        if len(layout.columns) - layout.optional <= len(cells):
            return layout.columns
        self.fault(
            Row(line, {}),
            str(len(cells)),
            f"this row has {len(cells)} of the {len(layout.columns)} columns {', '.join(layout.columns)}",
        )
        return None


def place(name: str, line: int, column: str) -> str:
    """How a place in a table is named: ``Rates.csv, line 3, column Rate``."""
    return f"{name}.csv, line {line}, column {column}"


# A quoted cell that ends on its line, and one that goes on.
_QUOTED = re.compile(r'(^|,) *"(?:[^"]|"")*"')
_OPENED = re.compile(r'(^|,) *"')


def _without_comments(text: str) -> Iterator[str]:
    """The lines, those that begin with “#” emptied: a quotation mark in a comment opens no quoted cell.

    A line within a quoted cell is no comment.
    """
    inside = False
    for line in io.StringIO(text, newline=None):
        if not inside and line.lstrip().startswith("#"):
            yield "\n"
            continue
        yield line
        # As if the cell had begun on this line.
        inside = _OPENED.search(_QUOTED.sub(r"\1", f'"{line}' if inside else line)) is not None
