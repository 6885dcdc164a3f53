"""Transactions that the database took back over locks: nothing of them has happened, and they can begin again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import OperationalError, connection

LOCK_WAIT_TIMEOUT, DEADLOCK = 1205, 1213
FIRST_PAUSE_S = 0.01

T = TypeVar("T")


def is_about_locks(error: BaseException) -> bool:
    """Whether it is MySQL's lock wait timeout or deadlock, or SQLite's other writer."""
    return isinstance(error, OperationalError) and (
        error.args[:1] in ((LOCK_WAIT_TIMEOUT,), (DEADLOCK,)) or "locked" in str(error)
    )


def again_after_deadlock(transaction: Callable[[], T], tries: int = 5) -> T:
    """What ``transaction`` returns; begun again, after a short and random pause, where it lost a deadlock.

    Inside a caller's transaction it is tried once: that one is lost with it.
    """
    for attempt in range(1, tries + 1):
        try:
            return transaction()
        except OperationalError as error:
            if attempt == tries or connection.in_atomic_block or not is_about_locks(error):
                raise
            time.sleep(random.uniform(0, FIRST_PAUSE_S * 2**attempt))
    raise AssertionError("tries is at least one")
