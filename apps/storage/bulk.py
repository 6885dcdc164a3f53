"""Many rows into one table, as fast as the database takes them, and every one accounted for.

MySQL and MariaDB get LOAD DATA LOCAL from an anonymous memory file; SQLite gets multi-row INSERTs, which
let other threads run while the statement works. Both run inside the caller's transaction.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import chain, islice
from typing import Any

from django.db import IntegrityError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from apps.storage.dialect import loads_text

SQLITE_MAX_VARIABLES = 32_766
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0"})


class RowsNotStored(IntegrityError):
    """The server took fewer rows than were sent, or changed some; the transaction must be rolled back.

    A duplicate key is the usual reason: LOAD DATA LOCAL skips such rows without an error.
    """

    def __init__(self, table: str, sent: int, stored: int, warnings: Sequence[object]) -> None:
        self.table, self.sent, self.stored, self.warnings = table, sent, stored, warnings
        detail = f"; first warning: {warnings[0]}" if warnings else ""
        super().__init__(f"{table}: {stored} of {sent} rows were stored{detail}")


def insert_rows(
    table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, using: str = "default"
) -> int:
    """Insert all ``rows`` (values in the order of ``columns``) or raise; returns how many.

    Values are str, int, bytes, bool, None, or datetimes that are already text in UTC (see
    :func:`database_instant`). Raises IntegrityError (RowsNotStored on MySQL) if a constraint is broken;
    the caller's transaction is then beyond repair and has to be rolled back.
    """
    if not rows:
        return 0
    connection = connections[using]
    if loads_text(connection):
        load_tab_separated(connection, table, columns, _tab_separated(rows).encode(), len(rows))
    else:
        insert_values(connection, table, columns, rows)
    return len(rows)


def insert_in_batches(
    table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, batch: int = 20_000
) -> int:
    """As :func:`insert_rows`, from an iterable of any length in bounded memory, in one transaction."""
    total = 0
    iterator = iter(rows)
    with transaction.atomic():
        while chunk := list(islice(iterator, batch)):
            total += insert_rows(table, columns, chunk)
    return total


def _tab_separated(rows: Sequence[Sequence[Any]]) -> str:
    """The rows as LOAD DATA reads them; column by column, since a column's values are nearly always of one type."""
    columns = [_fields(column) for column in zip(*rows, strict=True)]
    return "\n".join(map("\t".join, zip(*columns, strict=True))) + "\n"


def _fields(values: Sequence[Any]) -> Sequence[str]:
    types = set(map(type, values))
    if types == {int}:
        return list(map(str, values))
    if types == {str}:
        together = "".join(values)
        if together.translate(_ESCAPES) == together:
            return values
    return [_field(value) for value in values]


def _field(value: Any) -> str:
    if value is None:
        return "\\N"
    if isinstance(value, str):
        return value.translate(_ESCAPES)
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, bytes):
        raise TypeError("bytes go in through load_tab_separated with binary_columns, as hexadecimal text")
    return str(value)


def load_tab_separated(
    connection: BaseDatabaseWrapper,
    table: str,
    columns: Sequence[str],
    lines: bytes,
    count: int,
    *,
    binary_columns: Sequence[str] = (),
) -> None:
    """LOAD DATA LOCAL of ``lines`` (escaped, tab separated, newline ended); exactly ``count`` rows must arrive.

    See :func:`load_from_memory`.
    """
    descriptor = lines_in_memory(lines)
    try:
        load_from_memory(connection, table, columns, descriptor, count, binary_columns=binary_columns)
    finally:
        os.close(descriptor)


def lines_in_memory(lines: bytes) -> int:
    """The descriptor of an anonymous memory file with these lines; it is the caller's to close."""
    descriptor = os.memfd_create("rows")
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(lines)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def load_from_memory(
    connection: BaseDatabaseWrapper,
    table: str,
    columns: Sequence[str],
    descriptor: int,
    count: int,
    *,
    binary_columns: Sequence[str] = (),
) -> None:
    """LOAD DATA LOCAL from :func:`lines_in_memory`; exactly ``count`` rows must arrive.

    The server reports a skipped duplicate or a mended value as a mere warning, so the count is compared
    and any warning raises RowsNotStored. ``binary_columns`` are given as hexadecimal text.
    """
    targets = ", ".join(f"@{name}" if name in binary_columns else f"`{name}`" for name in columns)
    settings = ", ".join(f"`{name}` = UNHEX(@{name})" for name in binary_columns)
    connection.ensure_connection()
    driver = connection.connection
    with connection.wrap_database_errors:
        # Past the cursor, which takes and releases the GIL several times over: a thread that does this
        # beside another one waits for it each time.
        driver.query(
            (
                f"LOAD DATA LOCAL INFILE '/proc/self/fd/{descriptor}' INTO TABLE `{table}` "
                f"CHARACTER SET utf8mb4 FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\' LINES TERMINATED BY '\\n' "
                f"({targets})" + (f" SET {settings}" if settings else "")
            ).encode()
        )
        stored, warnings = driver.affected_rows(), driver.warning_count()
        if stored != count or warnings:
            driver.query(b"SHOW WARNINGS LIMIT 5")
            raise RowsNotStored(table, count, stored, driver.store_result().fetch_row(0))


def insert_values(
    connection: BaseDatabaseWrapper, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    """Multi-row INSERTs with as many rows as the variables of one statement allow."""
    width = len(columns)
    per_statement = max(1, SQLITE_MAX_VARIABLES // width)
    names = ", ".join(f'"{name}"' for name in columns)
    one = "(" + ",".join("?" * width) + ")"
    connection.ensure_connection()
    cursor = connection.connection.cursor()
    with connection.wrap_database_errors:
        for start in range(0, len(rows), per_statement):
            part = rows[start : start + per_statement]
            # The driver's own cursor: Django's would rewrite “%” and convert each parameter.
            super_execute = getattr(cursor, "execute")  # noqa: B009
            super_execute(
                f'INSERT INTO "{table}" ({names}) VALUES ' + ",".join([one] * len(part)),
                list(chain.from_iterable(part)),
            )


def database_instant(instant: datetime) -> str:
    """The text under which both databases store an aware UTC datetime (Django's own form)."""
    return (
        instant.strftime("%Y-%m-%d %H:%M:%S.%f")
        if instant.microsecond
        else instant.strftime("%Y-%m-%d %H:%M:%S")
    )
