"""A few hundred rows in one statement, inserted or overwritten, on MySQL and SQLite alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

SQLITE_MAX_VARIABLES = 32_766


def insert_few(
    connection: BaseDatabaseWrapper, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    """Insert the rows with one statement. Raises IntegrityError where a constraint is broken.

    Values are str, int, None, bool, or instants that are already text in UTC
    (:func:`apps.storage.bulk.database_instant`).
    """
    _execute(connection, table, columns, rows, "")


def upsert_few(
    connection: BaseDatabaseWrapper,
    table: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    key: Sequence[str],
    update: Sequence[str],
) -> None:
    """Insert the rows, or overwrite the columns ``update`` of those whose unique ``key`` is there already."""
    if connection.vendor == "mysql":
        changes = ", ".join(f"{name} = VALUES({name})" for name in update)
        tail = f" ON DUPLICATE KEY UPDATE {changes}"
    else:
        changes = ", ".join(f"{name} = excluded.{name}" for name in update)
        tail = f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changes}"
    _execute(connection, table, columns, rows, tail)


def _execute(
    connection: BaseDatabaseWrapper,
    table: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    tail: str,
) -> None:
    if not rows:
        return
    width = len(columns)
    one = "(" + ",".join(["%s"] * width) + ")"
    head = f"INSERT INTO {table} ({', '.join(columns)}) VALUES "
    per_statement = max(1, SQLITE_MAX_VARIABLES // width) if connection.vendor == "sqlite" else len(rows)
    with connection.cursor() as cursor:
        for start in range(0, len(rows), per_statement):
            part = rows[start : start + per_statement]
            values: list[Any] = []
            for row in part:
                values.extend(row)
            cursor.execute(head + ",".join([one] * len(part)) + tail, values)


def marks(values: Sequence[Any]) -> str:
    """The placeholders of an IN list for ``values`` (at least one)."""
    return ",".join(["%s"] * len(values))
