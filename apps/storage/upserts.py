"""A few hundred rows in one statement, read, inserted or overwritten, on MySQL and SQLite alike.

For use inside a transaction, where there is a connection; ``connection`` is the wrapper itself
(``connections[alias]``) and not the proxy, which looks it up again for every attribute.
"""

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
    """Execute on the driver itself, inside a transaction; the rows, if there are any.

    A cursor, Django's or the driver's, costs more than a small statement does.
    """
    driver = connection.connection
    with connection.wrap_database_errors:
        if connection.vendor == "mysql":
            driver.query(sql if isinstance(sql, bytes) else sql.encode())
            result = driver.store_result()
            return list(result.fetch_row(0)) if result is not None else []
        with closing(driver.cursor()) as cursor:
            cursor.execute(sql, values or ())
            return list(cursor.fetchall()) if cursor.description else []


def literal_rows(connection: BaseDatabaseWrapper, rows: Sequence[Sequence[Any]]) -> bytes:
    """``(…),(…)`` for MySQL; text is quoted by the connection, which knows its character set and mode."""
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
