"""Plain SQL for the reads of a bill run, where Django's conversion of each value would cost more than the read."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from django.db import connection

from apps.storage.bulk import database_instant


def read(statement: str) -> list[tuple[Any, ...]]:
    """All rows of a statement whose values are written into it: integers, and instants from :func:`instant`.

    Names that are words of SQL too stand in backticks.
    """
    with connection.cursor() as cursor:
        # No parameters, and so no reading of “%”.
        cursor.execute(statement)
        return list(cursor.fetchall())


@lru_cache(maxsize=10_000)
def instant_text(moment: datetime) -> str:
    """As the database stores it; remembered, since a run writes the same few over and over."""
    return database_instant(moment)


def instant(moment: datetime) -> str:
    """An instant as SQL writes it."""
    return f"'{instant_text(moment)}'"


@lru_cache(maxsize=10_000)
def aware(moment: datetime | str | None) -> datetime | None:
    """What the database gave for an instant, aware and in UTC."""
    if moment is None:
        return None
    found = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return found.replace(tzinfo=UTC)


def text(column: str) -> str:
    """A column of instants as text, which :func:`aware` reads faster than the drivers do."""
    return f"CAST({column} AS CHAR)"
