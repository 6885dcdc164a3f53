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
def instant_text(at: datetime) -> str:
    """As the database stores it; cached, since a run writes the same few over and over."""
    return database_instant(at)


def instant(at: datetime) -> str:
    """An instant as SQL writes it."""
    return f"'{instant_text(at)}'"


@lru_cache(maxsize=10_000)
def aware(value: datetime | str | None) -> datetime | None:
    """What the database gave for an instant, aware and in UTC."""
    if value is None:
        return None
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    return found.replace(tzinfo=UTC)


def required(value: datetime | str) -> datetime:
    """As :func:`aware`, of a column that is never empty."""
    found = aware(value)
    assert found is not None
    return found


def text(column: str) -> str:
    """A column of instants as text, which :func:`aware` reads faster than the drivers do."""
    return f"CAST({column} AS CHAR)"
