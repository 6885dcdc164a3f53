"""When a bill that could not be rendered is tried again, and when it is given up."""

from __future__ import annotations

from datetime import datetime, timedelta

MOST_ATTEMPTS = 5
FIRST_WAIT = timedelta(seconds=30)


def next_attempt(attempts: int, now: datetime) -> datetime | None:
    """After so many attempts: when to try again (30 s, then twice as long each time), or None to give up."""
    if attempts >= MOST_ATTEMPTS:
        return None
    doublings = max(1, attempts) - 1
    return now + FIRST_WAIT * (1 << doublings)
