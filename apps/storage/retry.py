"""When a transaction is retried: one policy for every room.

The database rolls a transaction back for a lock: nothing of it has happened, and it can begin again. Or the
connection is lost: then its commit may have gone through, and only work that finds that out by itself may be repeated.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import IntegrityError, InterfaceError, OperationalError, connection

LOCK_WAIT_TIMEOUT, DEADLOCK = 1205, 1213
# MySQL: shutting down, too many connections, cannot connect, gone away, lost, killed, idle.
_LOST = frozenset({1040, 1053, 1152, 1927, 2002, 2003, 2006, 2013, 2055, 4031})

PATIENCE_S = 5.0
DEADLOCKS = 5
"""So many attempts a transaction has at least that loses deadlocks: those are found at once."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.005, 0.5

T = TypeVar("T")


def is_rolled_back(error: BaseException) -> bool:
    """Whether it was rolled back for a lock: MySQL's lock wait timeout or deadlock, SQLite's other writer."""
    return isinstance(error, OperationalError) and (
        _code(error) in (LOCK_WAIT_TIMEOUT, DEADLOCK) or "is locked" in str(error)
    )


def may_have_committed(error: BaseException) -> bool:
    """Whether the connection was lost, perhaps after a commit had reached the database."""
    return isinstance(error, InterfaceError) or (
        isinstance(error, OperationalError) and _code(error) in _LOST
    )


def _code(error: BaseException) -> object:
    return error.args[0] if error.args else None


class Attempts:
    """The attempts at one transaction, with pauses between them that grow and are random.

    They end ``patience_s`` after the first; one that lost deadlocks has at least ``DEADLOCKS`` attempts.
    """

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._deadline = time.monotonic() + patience_s
        self._pause_s = _FIRST_PAUSE_S
        self._failed = 0

    def wait_after(self, error: BaseException, last_moment: float = float("inf")) -> bool:
        """Pause before the next attempt; False if none is left, or none before ``last_moment`` (time.monotonic)."""
        self._failed += 1
        at_once = isinstance(error, IntegrityError) or _code(error) == DEADLOCK
        if time.monotonic() > min(self._deadline, last_moment) and not (at_once and self._failed < DEADLOCKS):
            return False
        time.sleep(self._pause_s * random.uniform(0.5, 1.0))
        self._pause_s = min(self._pause_s * 2, _LONGEST_PAUSE_S)
        return True


def retrying(
    transaction: Callable[[], T],
    *,
    patience_s: float = PATIENCE_S,
    repeatable: bool = False,
    conflicts: bool = False,
) -> T:
    """The result of ``transaction``; retried if the database rolled it back for a lock.

    ``repeatable``: also if the connection was lost, for work that only reads, or that finds what an earlier attempt
    committed. ``conflicts``: also if a row that another has just made was in its way (IntegrityError). Inside a
    caller's transaction, which is lost with it, there is no other attempt but after a conflict. Raises the last
    attempt's error.
    """
    attempts = Attempts(patience_s)
    while True:
        try:
            return transaction()
        except (IntegrityError, OperationalError, InterfaceError) as error:
            if isinstance(error, IntegrityError):
                again = conflicts
            elif connection.in_atomic_block:
                again = False
            elif may_have_committed(error):
                connection.close()
                again = repeatable
            else:
                again = is_rolled_back(error)
            if not again or not attempts.wait_after(error):
                raise
