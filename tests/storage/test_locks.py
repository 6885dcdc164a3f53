"""A transaction that the database took back over locks begins again, and others do not."""

from __future__ import annotations

import pytest
from django.db import OperationalError

from apps.storage.locks import DEADLOCK, LOCK_WAIT_TIMEOUT, again_after_deadlock, is_about_locks


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OperationalError(DEADLOCK, "Deadlock found"), True),
        (OperationalError(LOCK_WAIT_TIMEOUT, "Lock wait timeout exceeded"), True),
        (OperationalError("database is locked"), True),
        (OperationalError(2006, "Server has gone away"), False),
        (ValueError("locked"), False),
    ],
)
def test_what_is_about_locks(error: Exception, expected: bool):
    assert is_about_locks(error) is expected


@pytest.mark.django_db(transaction=True)
def test_a_lost_deadlock_is_tried_again():
    errors = [OperationalError(DEADLOCK, "Deadlock found")] * 2

    def act() -> str:
        if errors:
            raise errors.pop()
        return "done"

    assert again_after_deadlock(act) == "done"


@pytest.mark.django_db(transaction=True)
def test_it_gives_up_after_the_last_try_and_at_once_for_anything_else():
    tried = []

    def act(error: Exception) -> None:
        tried.append(error)
        raise error

    with pytest.raises(OperationalError):
        again_after_deadlock(lambda: act(OperationalError(DEADLOCK, "Deadlock found")), tries=3)
    assert len(tried) == 3
    with pytest.raises(OperationalError):
        again_after_deadlock(lambda: act(OperationalError(2006, "gone")))
    assert len(tried) == 4


@pytest.mark.django_db
def test_inside_a_transaction_it_is_tried_once():
    tried = []

    def act() -> None:
        tried.append(1)
        raise OperationalError(DEADLOCK, "Deadlock found")

    with pytest.raises(OperationalError):
        again_after_deadlock(act)
    assert tried == [1]
