"""Who guesses PINs: after how many wrong ones a party waits, how long, and when it is locked."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple


class GuardPolicy(NamedTuple):
    """How wrong PINs of one party are slowed down and stopped.

    ``free`` wrong PINs cost no wait; each one more costs twice the wait of the one before, from ``first_wait_s`` to
    ``longest_wait_s``; the ``lock_after``-th locks until staff lift it. One is forgiven every ``forgive_s``.
    """

    free: int
    first_wait_s: int
    longest_wait_s: int
    lock_after: int
    forgive_s: int


class Guard(NamedTuple):
    """A party's wrong PINs so far."""

    failures: int = 0
    failed_at: datetime | None = None
    locked_at: datetime | None = None


NO_FAILURES = Guard()


class Hindrance(NamedTuple):
    """Why a party may not try now: locked, or to wait ``wait_s`` seconds (at least 1)."""

    locked: bool
    wait_s: int


def failures_at(guard: Guard, policy: GuardPolicy, now: datetime) -> int:
    """How many of the failures still count."""
    if guard.failed_at is None:
        return guard.failures
    forgiven = max(0, (now - guard.failed_at) // timedelta(seconds=policy.forgive_s))
    return max(0, guard.failures - forgiven)


def wait_s(failures: int, policy: GuardPolicy) -> int:
    """The wait that so many failures cost, in seconds."""
    beyond = failures - policy.free
    if beyond <= 0:
        return 0
    # The exponent is bounded: 2 to the power of a large count is a needlessly large number.
    return min(policy.first_wait_s << min(beyond - 1, 32), policy.longest_wait_s)


def hindrance(guard: Guard, policy: GuardPolicy, now: datetime) -> Hindrance | None:
    """What keeps the party from trying now, if anything; a lock is never lifted by time alone."""
    if guard.locked_at is not None:
        return Hindrance(True, 0)
    if guard.failed_at is None:
        return None
    left = guard.failed_at + timedelta(seconds=wait_s(guard.failures, policy)) - now
    if left <= timedelta(0):
        return None
    return Hindrance(False, -(-left // timedelta(seconds=1)))


def after_failure(guard: Guard, policy: GuardPolicy, now: datetime) -> Guard:
    """The guard after one more wrong PIN."""
    failures = failures_at(guard, policy, now) + 1
    locked_at = guard.locked_at or (now if failures >= policy.lock_after else None)
    return Guard(failures, now, locked_at)
