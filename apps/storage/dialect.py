"""What MySQL and SQLite write differently, or only one of them can do; nothing else asks which database it is.

Names that are words of SQL too stand in backticks: both databases read those.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from django.db import connection as default_connection
from django.db.backends.base.base import BaseDatabaseWrapper


def is_mysql(connection: BaseDatabaseWrapper | None = None) -> bool:
    """Whether the database is MySQL or MariaDB, not SQLite. For this room; others name what they want of it."""
    return (connection or default_connection).vendor == "mysql"


# --- What a database can do ---


def loads_text(connection: BaseDatabaseWrapper) -> bool:
    """Whether bulk rows go in as tab-separated text (LOAD DATA LOCAL), not as values."""
    return is_mysql(connection)


def commits_in_script(connection: BaseDatabaseWrapper) -> bool:
    """Whether several statements, and the COMMIT behind them, are one round trip."""
    return is_mysql(connection)


def has_one_writer() -> bool:
    """Whether a second writing transaction waits until the first has ended, even on other tables."""
    return not is_mysql()


# --- Locks ---


def for_update(connection: BaseDatabaseWrapper | None = None) -> str:
    """The end of a locking read; SQLite's transactions lock the whole database when they begin."""
    return " FOR UPDATE" if is_mysql(connection) else ""


def shared_lock(connection: BaseDatabaseWrapper | None = None) -> str:
    """The end of a read that waits for rows others have written and not committed; empty on SQLite: one writer."""
    return " LOCK IN SHARE MODE" if is_mysql(connection) else ""


def by_index(connection: BaseDatabaseWrapper, name: str) -> str:
    """Words after a table's name: find the rows of a locking read by this index, and lock no others.

    MySQL reads the whole of a small table instead, waits there for rows that it does not want, and deadlocks.
    """
    return f" FORCE INDEX ({name})" if is_mysql(connection) else ""


@contextmanager
def named_lock(name: str) -> Iterator[bool]:
    """Whether the name is the caller's for the block's time; without waiting. SQLite has no such locks: always.

    MySQL releases it when the connection dies.
    """
    if not is_mysql():
        yield True
        return
    of_database = lock_name(name)
    with default_connection.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK(%s, 0)", [of_database])
        mine = cursor.fetchone()[0] == 1
    try:
        yield mine
    finally:
        if mine:
            with default_connection.cursor() as cursor:
                cursor.execute("SELECT RELEASE_LOCK(%s)", [of_database])


def lock_name(name: str) -> str:
    """Names are shared by all databases of a server, and have 64 characters at most."""
    return f"{default_connection.settings_dict['NAME'][:20]}:{name}"[:64]


@contextmanager
def without_foreign_key_checks() -> Iterator[None]:
    """For rows whose parents were written in the same transaction; MySQL looks each one's up, SQLite at the commit."""
    if not is_mysql():
        yield
        return
    with default_connection.cursor() as cursor:
        cursor.execute("SET SESSION foreign_key_checks = 0")
        try:
            yield
        finally:
            cursor.execute("SET SESSION foreign_key_checks = 1")


# --- Statements and expressions ---


def in_given_order() -> str:
    """A word after SELECT: join the tables in the order in which they are named (SQLite has no such word)."""
    return "STRAIGHT_JOIN" if is_mysql() else ""


def upsert_tail(
    key: Sequence[str],
    *,
    update: Sequence[str] = (),
    lower: Sequence[str] = (),
    add: Sequence[str] = (),
    connection: BaseDatabaseWrapper | None = None,
) -> str:
    """What follows an INSERT's rows: those whose unique ``key`` is there already change instead.

    Columns in ``update`` get the new value, those in ``lower`` only a lower one, and to those in ``add`` it is added.
    """
    if is_mysql(connection):
        head, new, least = " ON DUPLICATE KEY UPDATE ", "VALUES({0})", "LEAST"
    else:
        head, new, least = f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET ", "excluded.{0}", "MIN"
    changes = [f"{name} = {new.format(name)}" for name in update]
    changes += [f"{name} = {least}({name}, {new.format(name)})" for name in lower]
    changes += [f"{name} = {name} + {new.format(name)}" for name in add]
    return head + ", ".join(changes)


def whole(expression: str) -> str:
    """A sum of integers as an integer (MySQL makes it a decimal)."""
    return f"CAST({expression} AS SIGNED)" if is_mysql() else expression


def greatest(*expressions: str) -> str:
    return f"{'GREATEST' if is_mysql() else 'MAX'}({', '.join(expressions)})"


def joined(*expressions: str) -> str:
    """Texts one after the other."""
    return f"CONCAT({', '.join(expressions)})" if is_mysql() else " || ".join(expressions)


def zero_padded(expression: str, digits: int) -> str:
    """A positive integer with leading zeros; of a longer one only its last ``digits``."""
    if is_mysql():
        return f"LPAD({expression}, {digits}, '0')"
    return f"SUBSTR('{'0' * digits}' || ({expression}), -{digits})"


def listed(expressions: Sequence[str], within: str, between: str) -> str:
    """An aggregate: each row's texts with ``within`` between them, the rows with ``between`` between them."""
    parts = [part for expression in expressions for part in (f"'{within}'", expression)][1:]
    if is_mysql():
        return f"GROUP_CONCAT({', '.join(parts)} SEPARATOR '{between}')"
    return f"group_concat({joined(*parts)}, '{between}')"


def quarter_of(column: str) -> str:
    """The quarter of an hour of an instant, counted from 1970-01-01 00:00 UTC; instants are stored in UTC."""
    if is_mysql():
        return f"TIMESTAMPDIFF(MINUTE, '1970-01-01', {column}) DIV 15"
    return f"CAST(strftime('%s', {column}) AS INTEGER) / 900"
