"""Which core a server process keeps to."""

from __future__ import annotations

import os
import threading

import pytest

from apps.kernel.errors import InvalidInput
from apps.runtime.cores import cores_from_text, keep_to_core

OWN = sorted(os.sched_getaffinity(0))


def test_cores_are_numbers_split_by_commas() -> None:
    assert cores_from_text("") == cores_from_text(" ") == ()
    assert cores_from_text(f"{OWN[-1]}, {OWN[0]}") == (OWN[-1], OWN[0])


@pytest.mark.parametrize(
    ("text", "why"), [("two", "is no list of cores"), ("4096", "core 4096 is not one of")]
)
def test_cores_that_there_are_not_are_refused(text: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        cores_from_text(text)


def test_a_thread_that_keeps_to_a_core_hands_that_on_to_those_that_it_starts() -> None:
    seen: list[tuple[set[int], int]] = []

    def first() -> None:
        keep_to_core(OWN[-1])
        second = threading.Thread(
            target=lambda: seen.append((os.sched_getaffinity(0), os.sched_getscheduler(0)))
        )
        second.start()
        second.join()

    thread = threading.Thread(target=first)
    thread.start()
    thread.join()
    # Of batches: a thread that wakes waits until the one before it does.
    assert seen == [({OWN[-1]}, os.SCHED_BATCH)]
    assert sorted(os.sched_getaffinity(0)) == OWN
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
