"""A few hundred rows in one statement, read, inserted or overwritten, on MySQL and SQLite alike.

For use inside a transaction, which has a connection; ``connection`` is the wrapper itself
(``connections[alias]``) and not the proxy, which looks it up again for every attribute.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from functools import lru_cache
from itertools import chain
from typing import Any, cast

from django.db.backends.base.base import BaseDatabaseWrapper

from apps.storage.dialect import is_mysql, upsert_tail

SQLITE_MAX_VARIABLES = 32_766


class Script:
    """Statements that go to MySQL together and in their order, for one round trip; SQLite needs none.

    Should one fail, those behind it are not carried out.
    """

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._connection = connection
        self._statements: list[str] = []

    def add(self, statement: str) -> None:
        """A statement for MySQL that gives no rows."""
        self._statements.append(statement)

    def commit(self) -> None:
        """Commit behind the rest, without a round trip of its own; for connections that do not commit by themselves."""
        self._statements.append("COMMIT")

    def run(self) -> None:
        """Execute the added statements. Raises as the statement that failed."""
        if self._statements:
            _run_together(self._connection, ";".join(self._statements).encode())
            self._statements.clear()


def select_many(
    connection: BaseDatabaseWrapper, queries: Sequence[tuple[str, Iterable[int | str]]]
) -> list[list[tuple[Any, ...]]]:
    """The rows of each query, as :func:`select` gives them; all in one round trip on MySQL, in their order."""
    if not is_mysql(connection):
        return [select(connection, sql, values) for sql, values in queries]
    asked = []
    found: list[list[tuple[Any, ...]]] = [[] for _ in queries]
    places = []
    for place, (sql, values) in enumerate(queries):
        listed = list(values)
        if listed:
            places.append(place)
            asked.append(_with_literals(connection, sql, listed))
    if asked:
        for place, rows in zip(places, _run_together(connection, b";".join(asked)), strict=True):
            found[place] = rows
    return found


def _run_together(connection: BaseDatabaseWrapper, statements: bytes) -> list[list[tuple[Any, ...]]]:
    driver = connection.connection
    found = []
    with connection.wrap_database_errors:
        driver.query(statements)
        while True:
            found.append(_fetched(driver))
            if not driver.more_results():
                return found
            driver.next_result()


def _fetched(driver: Any) -> list[tuple[Any, ...]]:
    # Without columns there is nothing to fetch, and a fetch would release the GIL to other threads.
    return list(driver.store_result().fetch_row(0)) if driver.field_count() else []


def insert_few(
    connection: BaseDatabaseWrapper,
    table: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    forms: str = "",
    script: Script | None = None,
) -> None:
    """Insert the rows with one statement. Raises IntegrityError if a constraint is broken.

    Values are str, int or None; instants are text in UTC (:func:`apps.storage.bulk.database_instant`). ``forms``
    says what each column holds, as :func:`formed_rows` reads it, which halves the work; without it, each value
    is looked at. With a ``script``, they are inserted once that is run.
    """
    _execute(connection, table, columns, rows, "", forms, script)


def upsert_few(
    connection: BaseDatabaseWrapper,
    table: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    key: Sequence[str],
    update: Sequence[str] = (),
    lower: Sequence[str] = (),
    add: Sequence[str] = (),
    forms: str = "",
    script: Script | None = None,
) -> None:
    """Insert the rows, or overwrite the columns ``update`` of those whose unique ``key`` is there already.

    Columns in ``lower`` are overwritten by lower values only, and to those in ``add`` the new values are added.
    ``forms`` and ``script`` as for :func:`insert_few`.
    """
    tail = upsert_tail(key, update=update, lower=lower, add=add, connection=connection)
    _execute(connection, table, columns, rows, tail, forms, script)


def update_few(
    connection: BaseDatabaseWrapper,
    table: str,
    columns: Sequence[str],
    rows: Sequence[tuple[int, ...]],
    script: Script | None = None,
) -> None:
    """Set the integer ``columns`` of rows that are there, with one statement.

    Each of ``rows`` begins with the row's id, then the values of the columns in their order; ids rise. Well below
    what an upsert of rows that are there costs on MySQL, which inserts them first and finds out then. With a
    ``script``, it is done once that is run.
    """
    if not rows or not columns:
        return
    if is_mysql(connection):
        ids = ",".join([f"{row[0]:d}" for row in rows])
        sets = ",".join(
            [f"{name}={_value_of_id(ids, rows, place)}" for place, name in enumerate(columns, start=1)]
        )
        statement = f"UPDATE {table} SET {sets} WHERE id IN ({ids})"
        if script is None:
            run(connection, statement)
        else:
            script.add(statement)
        return
    width = len(columns) + 1
    sets = ", ".join(f"{name} = new.column{place}" for place, name in enumerate(columns, start=2))
    one = f"({','.join('?' * width)})"
    per_statement = SQLITE_MAX_VARIABLES // width
    for start in range(0, len(rows), per_statement):
        part = rows[start : start + per_statement]
        run(
            connection,
            f"UPDATE {table} SET {sets} FROM (VALUES {','.join([one] * len(part))}) new WHERE {table}.id = new.column1",
            [number for row in part for number in row],
        )


def change_rows(
    connection: BaseDatabaseWrapper, table: str, change: str, values: Sequence[tuple[int, int]]
) -> None:
    """Change the rows of ``values`` (id, integer; ids rise) with one statement; ``{value}`` in ``change`` is theirs."""
    if not values:
        return
    ids = ",".join([f"{row_id:d}" for row_id, _ in values])
    if is_mysql(connection):
        changes = change.replace("{value}", _value_of_id(ids, values, 1))
        run(connection, f"UPDATE {table} SET {changes} WHERE id IN ({ids})")
        return
    changes = change.replace("{value}", "new.column2")
    rows = ",".join([f"({row_id:d},{value:d})" for row_id, value in values])
    run(connection, f"UPDATE {table} SET {changes} FROM (VALUES {rows}) new WHERE {table}.id = new.column1")


def _value_of_id(ids: str, rows: Sequence[tuple[int, ...]], place: int) -> str:
    # INTERVAL searches by halves; CASE compares one after the other, and a join with a list of rows reads that first.
    # ELT gives text, and arithmetic with text is that of floats.
    return f"CAST(ELT(INTERVAL(id,{ids}),{','.join([f'{row[place]:d}' for row in rows])}) AS SIGNED)"


def update_rows(
    connection: BaseDatabaseWrapper,
    table: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[int | str]],
    *,
    where: str,
) -> int:
    """Set the ``columns`` of rows that are there, with one statement; how many rows were found.

    Each of ``rows`` begins with the row's id, then the values of the columns in their order. Only rows that keep the
    condition ``where`` (of the table's own columns) are changed.
    """
    if not rows:
        return 0
    driver = connection.connection
    if is_mysql(connection):
        listed = [literal_rows(connection, [row])[1:-1] for row in rows]
        listed[0] = b",".join(
            b"%b AS %b" % (literal_rows(connection, [[value]])[1:-1], name.encode())
            for value, name in zip(rows[0], ["id", *columns], strict=True)
        )
        sets = ", ".join(f"{table}.{name} = new.{name}" for name in columns)
        head = f"UPDATE {table} JOIN (SELECT ".encode()
        tail = f") new ON new.id = {table}.id SET {sets} WHERE {table}.{where}".encode()
        with connection.wrap_database_errors:
            driver.query(head + b" UNION ALL SELECT ".join(listed) + tail)
            # Django's connections count the rows that were found.
            return int(driver.affected_rows())
    sets = ", ".join(f"{name} = new.column{place}" for place, name in enumerate(columns, 2))
    one = f"({','.join('?' * (len(columns) + 1))})"
    with connection.wrap_database_errors, closing(driver.cursor()) as cursor:
        cursor.execute(
            f"UPDATE {table} SET {sets} FROM (VALUES {','.join([one] * len(rows))}) new"
            f" WHERE {table}.id = new.column1 AND {table}.{where}",
            [value for row in rows for value in row],
        )
        return int(cursor.rowcount)


def _execute(
    connection: BaseDatabaseWrapper,
    table: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    tail: str,
    forms: str,
    script: Script | None,
) -> None:
    if not rows:
        return
    head = f"INSERT INTO {table} ({', '.join(columns)}) VALUES "
    if is_mysql(connection):
        if forms:
            statement = head + formed_rows(connection, rows, forms) + tail
            if script is None:
                run(connection, statement)
            else:
                script.add(statement)
            return
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
    """The rows of ``sql``, each of whose ``{values}`` becomes the list of these values; none for none."""
    listed = list(values)
    if not listed:
        return []
    if is_mysql(connection):
        return run(connection, _with_literals(connection, sql, listed))
    times = sql.count("{values}")
    return run(connection, sql.replace("{values}", ",".join("?" * len(listed))), listed * times)


def _with_literals(connection: BaseDatabaseWrapper, sql: str, values: list[int | str]) -> bytes:
    return _literal_list(connection, values).join(sql.encode().split(b"{values}"))


def _literal_list(connection: BaseDatabaseWrapper, values: list[int | str]) -> bytes:
    kinds = set(map(type, values))
    if kinds == {int}:
        return ",".join(map(str, values)).encode()
    if kinds == {str}:
        listed = cast("list[str]", values)
        together = "".join(listed)
        # Nothing in letters and digits ends a literal, in any mode of the server.
        if together.isascii() and together.isalnum():
            return b"'%b'" % "','".join(listed).encode()
    return literal_rows(connection, [values])[1:-1]


def run(
    connection: BaseDatabaseWrapper, sql: str | bytes, values: Sequence[Any] | None = None
) -> list[tuple[Any, ...]]:
    """Execute on the driver itself, inside a transaction; the rows, if there are any.

    A cursor, Django's or the driver's, costs more than a small statement does.
    """
    driver = connection.connection
    with connection.wrap_database_errors:
        if is_mysql(connection):
            driver.query(sql if isinstance(sql, bytes) else sql.encode())
            return _fetched(driver)
        with closing(driver.cursor()) as cursor:
            cursor.execute(sql, values or ())
            return list(cursor.fetchall()) if cursor.description else []


def literal_rows(connection: BaseDatabaseWrapper, rows: Sequence[Sequence[Any]]) -> bytes:
    """``(…),(…)`` for MySQL; text is quoted by the connection, which knows its character set and mode."""
    literal = connection.connection.string_literal

    def quote(text: bytes) -> bytes:
        # Nothing in letters and digits ends a literal, in any mode of the server.
        quoted: bytes = b"'%b'" % text if text.isalnum() else literal(text)
        return quoted

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


def formed_rows(connection: BaseDatabaseWrapper, rows: Sequence[Sequence[Any]], forms: str) -> str:
    """:func:`literal_rows` for columns whose content is known in advance, a letter each.

    ``i``: int; ``n``: int or None; ``p``: text of our own making without quotes and backslashes (digits, digests,
    instants, codes of ours); ``o``: such text or None; ``t``: any text.
    """
    plain, quoted, texts, optional = _template(forms)
    if optional:
        rows = [_with_nulls(row, optional) for row in rows]
    if texts:
        together = "".join([row[index] for row in rows for index in texts])
        # Nothing else can end a literal, in any mode of the server.
        if "'" in together or "\\" in together:
            return ",".join([quoted % _with_literal_texts(connection, row, texts) for row in rows])
    return ",".join([plain] * len(rows)) % tuple(chain.from_iterable(rows))


def _with_nulls(row: Sequence[Any], optional: tuple[int, ...]) -> list[Any]:
    values = list(row)
    for index in optional:
        value = values[index]
        values[index] = "NULL" if value is None else value if type(value) is int else f"'{value}'"
    return values


def _with_literal_texts(
    connection: BaseDatabaseWrapper, row: Sequence[Any], texts: tuple[int, ...]
) -> tuple[Any, ...]:
    values = list(row)
    for index in texts:
        values[index] = connection.connection.string_literal(values[index].encode()).decode()
    return tuple(values)


@lru_cache(maxsize=100)
def _template(forms: str) -> tuple[str, str, tuple[int, ...], tuple[int, ...]]:
    """How a row is written, and one whose texts are literals already; which values are any text, which may be None."""
    parts = {"i": "%d", "n": "%s", "p": "'%s'", "o": "%s", "t": "'%s'"}
    return (
        f"({','.join([parts[form] for form in forms])})",
        f"({','.join(['%s' if form == 't' else parts[form] for form in forms])})",
        tuple(index for index, form in enumerate(forms) if form == "t"),
        tuple(index for index, form in enumerate(forms) if form in "no"),
    )


def marks(values: Sequence[Any]) -> str:
    """The placeholders of an IN list for ``values`` (at least one)."""
    return ",".join(["%s"] * len(values))
