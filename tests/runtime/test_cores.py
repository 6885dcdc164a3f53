"""Which core a server process keeps to."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from apps.kernel.errors import InvalidInput
from apps.runtime.cores import cores_from_text

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


PROGRAM = """
import os, threading
from apps.runtime.cores import keep_to_core
ended = threading.Event()
earlier = threading.Thread(target=ended.wait, daemon=True)
earlier.start()
core = max(os.sched_getaffinity(0))
keep_to_core(core)
later = []
second = threading.Thread(target=lambda: later.append((os.sched_getaffinity(0), os.sched_getscheduler(0))))
second.start()
second.join()
assert os.sched_getaffinity(earlier.native_id) == {core}
# Of batches: a thread that wakes waits until the one before it does.
assert later == [({core}, os.SCHED_BATCH)], later
"""


def test_a_process_that_keeps_to_a_core_does_so_with_all_its_threads() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)
