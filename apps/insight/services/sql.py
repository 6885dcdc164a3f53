"""What the two databases write differently."""

from __future__ import annotations

from django.db import connection


def quarter_of(column: str) -> str:
    """The quarter of an hour of an instant, counted from 1970-01-01 00:00 UTC; instants are stored in UTC."""
    if connection.vendor == "mysql":
        return f"TIMESTAMPDIFF(MINUTE, '1970-01-01', {column}) DIV 15"
    return f"CAST(strftime('%s', {column}) AS INTEGER) / 900"


def whole(expression: str) -> str:
    """A sum of integers as an integer (MySQL makes it a decimal)."""
    return f"CAST({expression} AS SIGNED)" if connection.vendor == "mysql" else expression
