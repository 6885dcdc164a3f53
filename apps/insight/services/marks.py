"""How far each collector is, and sums that grow by what was counted."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date

from django.db import connection

from apps.insight.models import CollectorMark

ROWS_A_STATEMENT = 500


def mark_of(source: str) -> CollectorMark:
    """The collector's mark; a new one begins with everything still to be counted."""
    return CollectorMark.objects.get_or_create(source=source)[0]


def locked_mark(source: str) -> CollectorMark:
    """The same, locked until the caller's transaction ends: collectors of one source take turns."""
    return CollectorMark.objects.select_for_update().get(source=source)


def add_to_sums(
    table: str, key: Sequence[str], sums: Sequence[str], added: Mapping[tuple[object, ...], Collection[int]]
) -> None:
    """Add to the columns ``sums`` of the rows with these keys; a row that is missing begins with what is added.

    Inside the caller's transaction, rows in the order of their keys.
    """
    name = connection.ops.quote_name
    columns = ", ".join(name(column) for column in (*key, *sums))
    if connection.vendor == "mysql":
        growth = ", ".join(f"{name(column)} = {name(column)} + VALUES({name(column)})" for column in sums)
        tail = f"ON DUPLICATE KEY UPDATE {growth}"
    else:
        growth = ", ".join(f"{name(column)} = {name(column)} + excluded.{name(column)}" for column in sums)
        tail = f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {growth}"
    rows = [
        [value.isoformat() if isinstance(value, date) else value for value in (*named, *amounts)]
        for named, amounts in sorted(added.items(), key=lambda item: str(item[0]))
    ]
    with connection.cursor() as cursor:
        for start in range(0, len(rows), ROWS_A_STATEMENT):
            portion = rows[start : start + ROWS_A_STATEMENT]
            marks = ", ".join([f"({', '.join(['%s'] * (len(key) + len(sums)))})"] * len(portion))
            cursor.execute(
                f"INSERT INTO {table} ({columns}) VALUES {marks} {tail}",
                [value for row in portion for value in row],
            )
