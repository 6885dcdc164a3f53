"""A few hundred rows in one statement, inserted or overwritten, on MySQL and SQLite alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

SQLITE_MAX_VARIABLES = 32_766


def insert_few(
    connection: BaseDatabaseWrapper, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    """Insert the rows with one statement. Raises IntegrityError where a constraint is broken.

    Values are str, int or None; instants are text in UTC (:func:`apps.storage.bulk.database_instant`).
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
    head = f"INSERT INTO {table} ({', '.join(columns)}) VALUES "
    if connection.vendor == "mysql":
        run(connection, b"%b%b%b" % (head.encode(), literal_rows(connection, rows), tail.encode()))
        return
    width = len(columns)
    per_statement = max(1, SQLITE_MAX_VARIABLES // width)
    one = "(" + ",".join("?" * width) + ")"
    for start in range(0, len(rows), per_statement):
        part = rows[start : start + per_statement]
        values: list[Any] = []
        for row in part:
            values.extend(row)
        run(connection, head + ",".join([one] * len(part)) + tail, values)


def select(connection: BaseDatabaseWrapper, sql: str, values: Iterable[int | str]) -> list[tuple[Any, ...]]:
    """The rows of ``sql``, whose ``{values}`` becomes the list of these values; none where there are no values."""
    listed = list(values)
    if not listed:
        return []
    if connection.vendor == "mysql":
        inside = literal_rows(connection, [listed])[1:-1]
        before, after = sql.split("{values}")
        return run(connection, b"%b%b%b" % (before.encode(), inside, after.encode()))
    return run(connection, sql.format(values=",".join("?" * len(listed))), listed)


def run(
    connection: BaseDatabaseWrapper, sql: str | bytes, values: Sequence[Any] | None = None
) -> list[tuple[Any, ...]]:
    """Execute with the driver's own cursor: Django's would look at each value once more."""
    connection.ensure_connection()
    with connection.wrap_database_errors, closing(connection.connection.cursor()) as cursor:
        if values is None:
            cursor.execute(sql)
        else:
            cursor.execute(sql, values)
        return list(cursor.fetchall()) if cursor.description else []


def literal_rows(connection: BaseDatabaseWrapper, rows: Sequence[Sequence[Any]]) -> bytes:
    """``(…),(…)`` for MySQL; text is quoted by the connection, which knows its character set and mode."""
    connection.ensure_connection()
    quote = connection.connection.string_literal
    return b",".join(
        [
            b"(%b)"
            % b",".join(
                [
                    b"%d" % value
                    if type(value) is int
                    else b"NULL"
                    if value is None
                    else quote(value.encode())
                    for value in row
                ]
            )
            for row in rows
        ]
    )


def marks(values: Sequence[Any]) -> str:
    """The placeholders of an IN list for ``values`` (at least one)."""
    return ",".join(["%s"] * len(values))
