"""Tables of a tariff folder that rooms above rating act on: each registers how it is loaded, removed and exported.

A part takes its table off the list of files that the product does not act on. Its rows are checked with the rest of the
folder, and loaded in the transaction that loads the prices.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import NamedTuple

from django.db.models import Model

from apps.kernel.errors import Problem
from apps.rating.domain.tariff_files.folder_rows import (
    FolderFile,
    FolderRow,
    FolderRows,
    Key,
    live_rows,
)
from apps.rating.domain.tariff_files.folder_tables import FOLDER_TABLES, FolderTable

NOT_ACTED_ON = "not_acted_on"
"""The code of a part's problem that is a warning: what its row says in a column is kept, and nothing acts on it."""


class PartChange(NamedTuple):
    """What a load does to one table of a tariff plan.

    ``rows`` take the place of all rows of their keys, ``removed`` are the keys that a flush removes. ``tenants`` are
    the codes of the tenants that the plan serves: the tenant that owns it, else those named in the folder and in
    the plan's live profiles. They exist once rows are loaded, not yet when they are checked.
    """

    plan_code: str
    tenants: tuple[str, ...]
    rows: tuple[FolderRow, ...]
    removed: tuple[Key, ...]
    now: datetime

    def by_key(self, table: FolderTable) -> dict[Key, list[FolderRow]]:
        """The rows by what they belong to, in their order."""
        result: dict[Key, list[FolderRow]] = {}
        for row in self.rows:
            result.setdefault(row.key(table), []).append(row)
        return result


def _no_problems(change: PartChange) -> Iterable[Problem]:
    return ()


def _no_ids(plan_code: str) -> AbstractSet[str]:
    return frozenset()


class FolderPart(NamedTuple):
    """A table that a room acts on. Everything happens in the load's transaction.

    ``load`` stores the rows of a change; tables are loaded in the order of ``FOLDER_TABLES``, so that what they name is
    there. ``remove`` deletes the keys that a flush removes, in the reverse order. ``export`` gives the rows of
    a tariff plan, cell by cell in the order of the columns, always in the same order. ``check`` finds what
    columns and references do not say (``FolderRow.problem``); any but NOT_ACTED_ON stops the load. ``used`` are the
    ids of the table that something outside of the folder uses. ``also`` are other names of the file. ``acts``: the
    product acts on the table, so faults of its rows stop the load; else they are kept, and their faults are warnings.
    """

    name: str
    load: Callable[[PartChange], None]
    remove: Callable[[PartChange], None]
    export: Callable[[str], Iterable[Sequence[object]]]
    table: FolderTable | None = None
    check: Callable[[PartChange], Iterable[Problem]] = _no_problems
    used: Callable[[str], AbstractSet[str]] = _no_ids
    also: tuple[str, ...] = ()
    acts: bool = True

    @property
    def columns(self) -> FolderTable:
        """The part's own table, else the one of this name in ``FOLDER_TABLES``."""
        return self.table if self.table is not None else FOLDER_TABLES[self.name]


def too_long(row: FolderRow, model: type[Model], columns: Mapping[str, str]) -> Iterator[Problem]:
    """Cells longer than the model's fields of these names, by column; not every database would cut or refuse them."""
    for column, name in columns.items():
        most = getattr(model._meta.get_field(name), "max_length", None)
        if most is not None and len(row.cells.get(column, "")) > most:
            yield row.problem(column, f"this is longer than {most} characters")


_parts: dict[str, FolderPart] = {}
_users: dict[str, list[Callable[[], AbstractSet[str]]]] = defaultdict(list)
# Tables that are kept until a room acts on them.
_kept: dict[str, FolderPart] = {}


def add_part(part: FolderPart) -> None:
    """Have a table loaded, checked and exported with the folder; rooms call it in ``AppConfig.ready``."""
    (_parts if part.acts else _kept)[part.name] = part


def parts() -> list[FolderPart]:
    """The parts in the order in which they are loaded."""
    order = {name: index for index, name in enumerate(FOLDER_TABLES)}
    taken = {name for part in _parts.values() for name in (part.name, *part.also)}
    kept = (part for part in _kept.values() if part.name not in taken)
    return sorted((*_parts.values(), *kept), key=lambda part: order.get(part.name, len(order)))


def folder_files() -> Mapping[str, FolderFile]:
    """The files beside those of prices, by name."""
    return {
        name: FolderFile(part.name, part.columns, part.acts)
        for part in parts()
        for name in (part.name, *part.also)
    }


def stored_rows(
    plan_code: str, others: FolderRows, named: AbstractSet[str], *, every: bool
) -> dict[str, list[FolderRow]]:
    """By table, the rows that were loaded before: of every table, or of those that the folder has or refers to.

    ``named`` are tables that the folder's prices refer to.
    """
    wanted = (
        set(others.rows)
        | named
        | {file for table in others.tables.values() for file in table.refers.values()}
    )
    return {
        part.name: live_rows(part.name, part.columns, part.export(plan_code))
        for part in parts()
        if every or part.name in wanted
    }


def add_user(table: str, used: Callable[[], AbstractSet[str]]) -> None:
    """Have ids of a table of prices, such as destinations, count as used: rows outside of the folder name them."""
    if used not in _users[table]:
        _users[table].append(used)


def used_ids(plan_code: str) -> dict[str, AbstractSet[str]]:
    """By table, the ids that something outside of the folder uses."""
    named = {table: frozenset().union(*(used() for used in users)) for table, users in _users.items()}
    return named | {part.name: part.used(plan_code) for part in parts()}
