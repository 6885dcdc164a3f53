"""When something that was given to a queue counts as lost and is given to it again."""

from __future__ import annotations

from datetime import datetime, timedelta

MOST_DOUBLINGS = 6


def stands_still(sent_at: datetime | None, sends: int, now: datetime, patience: timedelta) -> bool:
    """Whether to send (again): never sent, or sent longer ago than the patience, which doubles with each send.

    The doubling keeps a queue short that no worker is taking from.
    """
    if sent_at is None:
        return True
    doublings = min(max(sends - 1, 0), MOST_DOUBLINGS)
    return now - sent_at >= patience * (1 << doublings)
