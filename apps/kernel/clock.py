"""The clock, read by doors only: services and domain code are given the time."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Now, aware and in UTC. Read it once for a job and pass it on."""
    return datetime.now(UTC)
