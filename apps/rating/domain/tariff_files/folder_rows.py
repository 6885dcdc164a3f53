"""The folder's tables beside the six of prices, read into rows: checked by column, with their places and references.

A fault in a table that the product acts on keeps the folder from being loaded; in another it is a warning, as it can
stop neither a price nor a charge.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, NamedTuple

from apps.kernel.errors import Problem
from apps.rating.domain.tariff_files import fields
from apps.rating.domain.tariff_files.folder_tables import (
    DESTINATIONS,
    EXCLUDED,
    FILTERED_IDS,
    FOLDER_TABLES,
    SHARED_GROUPS,
    TIMINGS,
    FolderTable,
)
from apps.rating.domain.tariff_files.table import LIVE, Fault, Layout, Row, TableReader, place

Key = tuple[str, ...]


class FolderFile(NamedTuple):
    """One file of a folder: the table that its rows belong to, and whether the product acts on it."""

    name: str
    table: FolderTable
    acts: bool = False


_WITH_KEYWORDS = (TIMINGS, DESTINATIONS, SHARED_GROUPS)
NO_PARTS: Mapping[str, FolderFile] = {name: FolderFile(name, table) for name, table in FOLDER_TABLES.items()}


@dataclass(frozen=True, slots=True)
class FolderRow:
    """A row as it stands in the file (``cells``) and as its checks read it (``values``), both by column.

    ``line`` is ``LIVE`` for a row that was loaded before.
    """

    file: str
    line: int
    cells: Mapping[str, str]
    values: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, column: str) -> Any:
        return self.values[column]

    def key(self, table: FolderTable) -> Key:
        """What the row belongs to: keywords in small letters."""
        return tuple(fields.keyword(self.cells.get(column, "")) for column in table.key)

    def problem(self, column: str, message: str, code: str = "invalid_input") -> Problem:
        """A finding about one of the row's cells."""
        where = (
            place(self.file, self.line, column) if self.line != LIVE else f"{self.file}.csv, loaded before"
        )
        return Problem(where, message, code)

    def mentions(self, table: FolderTable) -> Iterator[tuple[str, str, str]]:
        """The ids that the row names: the column, the table that should have it, the id.

        ``*none`` is no id, and no keyword such as ``*any`` one of timings, destinations and shared groups.
        """
        refers = dict(table.refers)
        if file := FILTERED_IDS.get(fields.keyword(self.cells.get("FilterType", ""))):
            refers["FilterFieldValues"] = file
        for column, file in refers.items():
            for item in self.cells.get(column, "").split(fields.LIST_SEPARATOR):
                name = item.strip().removeprefix(EXCLUDED)
                if fields.keyword(name) in ("", fields.NONE):
                    continue
                if not (name.startswith("*") and file in _WITH_KEYWORDS):
                    yield column, file, name


@dataclass
class FolderRows:
    """The rows by table, their number by file, and the findings about whole files and about rows."""

    tables: dict[str, FolderTable] = field(default_factory=dict)
    acting: set[str] = field(default_factory=set)
    rows: dict[str, list[FolderRow]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    files: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def keys(self, name: str) -> set[Key]:
        """What the rows of a table belong to."""
        return {row.key(self.tables[name]) for row in self.rows.get(name, ())}


def read_folder_rows(
    files: Mapping[str, bytes],
    parts: Mapping[str, FolderFile],
    *,
    tenant: str | None = None,
    unknown: Sequence[str] = (),
) -> FolderRows:
    """Read the tables of ``parts`` that are in the folder, and name those that the product does not act on.

    ``tenant`` takes the place of the tenants in the rows. ``unknown`` are the names of files that belong to no
    tariff folder; each is named too.
    """
    result = FolderRows()
    for name, part in parts.items():
        if name in files:
            result.tables[part.name] = part.table
            if part.acts:
                result.acting.add(part.name)
            _read(name, part, files[name], tenant, result)
    for name in unknown:
        message = "this is no file of a tariff folder; it was not read"
        result.files.append(Problem(name, message, "unknown_file"))
    return result


def live_rows(name: str, table: FolderTable, rows: Iterable[Sequence[object]]) -> list[FolderRow]:
    """Rows that were loaded before, from their cells in the order of the columns."""
    return [FolderRow(name, LIVE, dict(zip(table.columns, map(str, row), strict=False))) for row in rows]


def _read(name: str, part: FolderFile, data: bytes, tenant: str | None, result: FolderRows) -> None:
    reader = TableReader(name)
    own = result.rows.setdefault(part.name, [])
    count = 0
    columns = part.table.columns
    aliases = (
        {"Tag": "Id"} if "Id" in columns else {"Id": part.table.key[0]} if len(part.table.key) == 1 else {}
    )
    for row in reader.rows(data, [Layout(tuple(columns), part.table.optional, aliases)]):
        count += 1
        own += _checked(reader, part, row if tenant is None else _of_tenant(row, tenant))
    result.counts[name] = count
    if part.acts:
        result.faults += reader.faults
        return
    message = f"the product does not act on this file yet: {_rows(count)} checked and kept"
    result.files.append(Problem(f"{name}.csv", message, "not_acted_on"))
    result.warnings += [fault.problem for fault in reader.faults]


def _of_tenant(row: Row, tenant: str) -> Row:
    return row._replace(cells={**row.cells, "Tenant": tenant}) if "Tenant" in row.cells else row


def _checked(reader: TableReader, part: FolderFile, row: Row) -> Iterator[FolderRow]:
    """The row with its values, once for each item of its ``each`` columns; without a value where a cell is wrong."""
    table = part.table
    required = len(table.columns) - table.optional
    values: dict[str, Any] = {}
    for index, (column, check) in enumerate(table.columns.items()):
        value = reader.field(row, column, check, None if index < required else "")
        if value is not None:
            values[column] = value
    lists = [values.get(column, ()) for column in table.each]
    for items in product(*lists):
        each = dict(zip(table.each, items, strict=True))
        yield FolderRow(reader.name, row.line, {**row.cells, **each}, {**values, **each})


def _rows(count: int) -> str:
    return f"{count:,} row{'s' if count != 1 else ''}"
