"""A token bucket: so many calls a second on average, and so many at once."""

from __future__ import annotations

from typing import NamedTuple


class Bucket(NamedTuple):
    """How many calls may come now, and when that was counted (seconds of any steady clock)."""

    calls: float
    counted_at_s: float


def take(bucket: Bucket | None, now_s: float, calls_a_second: float, burst: int) -> tuple[Bucket, float]:
    """Take one call out of the bucket: (the bucket after it, seconds to wait; 0 = the call may come now).

    A call that has to wait takes nothing. ``None`` is a bucket never used, which is full.
    """
    if bucket is None:
        calls = float(burst)
    else:
        # A clock that went back adds nothing.
        passed = max(0.0, now_s - bucket.counted_at_s)
        calls = min(float(burst), bucket.calls + passed * calls_a_second)
    if calls >= 1.0:
        return Bucket(calls - 1.0, now_s), 0.0
    return Bucket(calls, now_s), (1.0 - calls) / calls_a_second


class Lease(NamedTuple):
    """Calls that a process took out of a shared bucket and may let in without asking, until ``ends_at_s``."""

    calls: int
    ends_at_s: float


def leased(calls_a_second: float, burst: int) -> int:
    """How many calls are taken out of a shared bucket at once: those of a fiftieth of a second, at least one.

    Never so many that one process could keep a tenth of the bucket from the others.
    """
    return max(1, min(int(calls_a_second / 50), burst // 10))
