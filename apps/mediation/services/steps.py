"""The steps of loading a file, as reported to a progress display."""

from __future__ import annotations

from collections.abc import Callable

# (step, how much of it is done, of how much). In order: hashed and read (octets), claimed, stored (records; again and
# again), charged, committing, committed, moving, copied and renamed (between file systems only), moved.
OnStep = Callable[[str, int, int], None]


def no_steps(step: str, done: int, total: int) -> None:
    """For callers that do not show progress."""
