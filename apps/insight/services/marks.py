"""How far each collector is, and sums that grow by each count."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date

from django.db import DEFAULT_DB_ALIAS, connections

from apps.insight.models import CollectorMark
from apps.storage.upserts import upsert_few

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
    """Add to the columns ``sums`` of the rows with these keys; a missing row is inserted with them.

    Inside the caller's transaction, rows in the order of their keys.
    """
    rows = [
        [value.isoformat() if isinstance(value, date) else value for value in (*named, *amounts)]
        for named, amounts in sorted(added.items(), key=lambda item: str(item[0]))
    ]
    for start in range(0, len(rows), ROWS_A_STATEMENT):
        upsert_few(
            connections[DEFAULT_DB_ALIAS],
            table,
            (*key, *sums),
            rows[start : start + ROWS_A_STATEMENT],
            key=key,
            add=sums,
        )
