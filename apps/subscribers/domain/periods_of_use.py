"""Effective-dated assignments of one owner: at most one holds at any instant."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from apps.kernel.errors import Conflict


class Held(NamedTuple):
    """``[start, end)`` during which something is held; no end = until further notice."""

    start: datetime
    end: datetime | None


def end_of_former(held: Sequence[Held], start: datetime) -> Held | None:
    """The assignment that a new open-ended one from ``start`` cuts short, or None if nothing holds then.

    Raises Conflict if something begins at or after ``start``: a later assignment must be taken
    back first, or it would be lost in silence.
    """
    for period in held:
        if period.start >= start and period.end != period.start:
            raise Conflict(
                f"another assignment begins at {period.start:%Y-%m-%d %H:%M} UTC; end or remove it first",
                code="later_assignment",
            )
    for period in held:
        if period.start < start and (period.end is None or period.end > start):
            return period
    return None
