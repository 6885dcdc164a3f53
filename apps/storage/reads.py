"""Rows of many ids at once, read past the ORM: in batches, building the query costs more than running it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections

from apps.storage.dialect import shared_lock
from apps.storage.upserts import run, select

VALUES_A_QUERY = 5_000
INSTANTS_CACHED = 50_000


def select_in(sql: str, values: Collection[int] | Collection[str]) -> list[tuple[Any, ...]]:
    """The rows of ``sql`` for all ``values``, in ascending order of the portions that they are asked for in.

    ``sql`` has ``IN ({values})`` where they go, and names that are words of SQL
    too in backticks. Instants are read as text, ``CAST(at AS CHAR)``, and made
    instants by :func:`instant_read`: what the drivers make of them costs five times as much.
    """
    connection = connections[DEFAULT_DB_ALIAS]
    connection.ensure_connection()
    ordered: list[Any] = sorted(values)
    rows: list[tuple[Any, ...]] = []
    for first in range(0, len(ordered), VALUES_A_QUERY):
        rows += select(connection, sql, ordered[first : first + VALUES_A_QUERY])
    return rows


@lru_cache(maxsize=INSTANTS_CACHED)
def instant_read(text: str) -> datetime:
    """The aware instant that the database holds as this text in UTC."""
    return datetime.fromisoformat(f"{text}+00:00")


def wait_until_committed(table: str, after: int, upto: int) -> None:
    """Wait for other transactions that have inserted rows with ids in ``(after, upto]`` and have not ended yet.

    Ids are given before commits: without this, a reader that goes by ids passes over what commits late. Raises
    OperationalError if one takes too long. SQLite has one writer at a time: its ids are in the order of commits.
    """
    connection = connections[DEFAULT_DB_ALIAS]
    if waiting := shared_lock(connection):
        run(connection, f"SELECT COUNT(*) FROM {table} WHERE id > {after:d} AND id <= {upto:d}{waiting}")
