"""Pools of processes: what one dies over is found, and the rest is done."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial

import pytest

from apps.runtime.pool import process_pool, results_of
from apps.runtime.start import Role
from tests.patience import eventually, lives

new_pool = partial(process_pool, role=Role.READER, needs_django=False)


def square_or_die(number: int) -> int:
    if number < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def fail_at_three(number: int) -> int:
    if number == 3:
        raise ValueError("three")
    return number


def test_every_item_has_a_result_and_nothing_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    assert dict(results_of(square_or_die, range(6), 2, new_pool)) == {n: n * n for n in range(6)}
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("processes", [1, 2])
def test_an_item_that_kills_its_process_has_none_and_all_others_have_theirs(processes: int) -> None:
    items = [1, -2, 3, 4, 5, -6]

    # One process alone has to be replaced before the next item.
    results = dict(results_of(square_or_die, items, processes, new_pool))

    assert results == {number: None if number < 0 else number * number for number in items}


def test_an_error_is_the_callers() -> None:
    with pytest.raises(ValueError, match="three"):
        list(results_of(fail_at_three, range(6), 2, new_pool))


OWNER = """
import sys, time
from apps.runtime.pool import process_pool
from apps.runtime.start import Role
from tests.runtime.test_pool import tell_and_sleep

if __name__ == "__main__":
    process_pool(Role.READER, needs_django=False).submit(tell_and_sleep, sys.argv[1])
    time.sleep(600)
"""


def tell_and_sleep(path: str) -> None:
    with open(path, "w") as file:
        file.write(f"{os.getpid()}\n")
    time.sleep(600)


def test_a_pools_process_does_not_outlive_a_killed_owner(tmp_path) -> None:
    program, told = tmp_path / "owner.py", tmp_path / "pid"
    program.write_text(OWNER)
    owner = subprocess.Popen([sys.executable, program, told], env={**os.environ, "PYTHONPATH": os.getcwd()})
    try:
        eventually(lambda: told.exists() and told.read_text().endswith("\n"))
        pid = int(told.read_text())
        assert lives(pid)
    finally:
        owner.kill()
        owner.wait()
    eventually(lambda: not lives(pid))
