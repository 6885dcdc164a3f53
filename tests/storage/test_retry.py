"""A transaction that the database rolled back begins again; one that may have committed only if that is safe."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, InterfaceError, OperationalError

from apps.storage import retry
from apps.storage.retry import (
    DEADLOCK,
    DEADLOCKS,
    LOCK_WAIT_TIMEOUT,
    is_rolled_back,
    may_have_committed,
    retrying,
)

LOST = OperationalError(2013, "Lost connection to MySQL server during query")
DEADLOCKED = OperationalError(DEADLOCK, "Deadlock found when trying to get lock")


@pytest.mark.parametrize(
    ("error", "rolled_back", "unknown"),
    [
        (DEADLOCKED, True, False),
        (OperationalError(LOCK_WAIT_TIMEOUT, "Lock wait timeout exceeded"), True, False),
        (OperationalError("database is locked"), True, False),
        (OperationalError("database table is locked"), True, False),
        (LOST, False, True),
        (OperationalError(2006, "Server has gone away"), False, True),
        (InterfaceError(0, ""), False, True),
        (OperationalError(1054, "Unknown column"), False, False),
        (IntegrityError(1062, "Duplicate entry"), False, False),
        (ValueError("is locked"), False, False),
    ],
)
def test_what_became_of_a_transaction_is_told_by_its_error(
    error: Exception, rolled_back: bool, unknown: bool
):
    assert (is_rolled_back(error), may_have_committed(error)) == (rolled_back, unknown)


class Work:
    """Fails with these errors, one an attempt, and is done then."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.attempts = 0

    def __call__(self) -> str:
        self.attempts += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


class Outside:
    """A connection outside of any transaction."""

    in_atomic_block = False

    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> Outside:
    connection = Outside()
    monkeypatch.setattr(retry, "connection", connection)
    return connection


def test_a_lost_deadlock_is_tried_again_on_the_same_connection(outside: Outside):
    work = Work(DEADLOCKED, DEADLOCKED)
    assert retrying(work) == "done"
    assert (work.attempts, outside.closed) == (3, 0)


def test_deadlocks_get_their_attempts_even_after_patience_is_over(outside: Outside):
    work = Work(*[DEADLOCKED] * 99)
    with pytest.raises(OperationalError):
        retrying(work, patience_s=-1)
    assert work.attempts == DEADLOCKS
    waited = Work(OperationalError(LOCK_WAIT_TIMEOUT, "Lock wait timeout exceeded"))
    with pytest.raises(OperationalError):
        retrying(waited, patience_s=-1)
    assert waited.attempts == 1


def test_work_that_may_have_committed_is_retried_only_if_that_is_safe(outside: Outside):
    change = Work(LOST)
    with pytest.raises(OperationalError):
        retrying(change)
    assert (change.attempts, outside.closed) == (1, 1)
    read = Work(LOST, LOST)
    assert retrying(read, repeatable=True) == "done"
    assert (read.attempts, outside.closed) == (3, 3)


def test_a_conflict_is_the_callers_unless_it_says_otherwise(outside: Outside):
    conflict = IntegrityError(1062, "Duplicate entry")
    with pytest.raises(IntegrityError):
        retrying(Work(conflict))
    assert retrying(Work(conflict), conflicts=True) == "done"


def test_any_other_error_ends_it(outside: Outside):
    work = Work(OperationalError(1054, "Unknown column"))
    with pytest.raises(OperationalError):
        retrying(work, repeatable=True, conflicts=True)
    assert work.attempts == 1


@pytest.mark.django_db
def test_inside_a_transaction_it_is_tried_once():
    work = Work(DEADLOCKED)
    with pytest.raises(OperationalError):
        retrying(work)
    assert work.attempts == 1
