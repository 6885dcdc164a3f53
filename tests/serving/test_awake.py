"""Processors that are kept awake: by programs that take only the turns that nobody wants, and end with their parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from apps.serving import awake
from apps.serving.awake import CannotKeepAwake, group_that_competes, keep_awake, round_trip
from tests import python_processes
from tests.patience import eventually, lives

OWN = sorted(os.sched_getaffinity(0))
CORE = OWN[-1]


def _cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


COMPETITOR = """
import os, sys, time
os.sched_setaffinity(0, {int(sys.argv[1])})

def ticks():
    fields = open(f"/proc/{sys.argv[2]}/stat").read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])

began, end = ticks(), time.thread_time() + 1.0
while time.thread_time() < end:
    pass
print((ticks() - began) / os.sysconf("SC_CLK_TCK"))
"""


def _taken_from_a_competitor(pid: int) -> float:
    """Seconds of processor time that the process has while one in another session computes on the core for a second."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", COMPETITOR, str(CORE), str(pid)],
        check=True,
        capture_output=True,
        text=True,
        start_new_session=True,
    )
    return float(done.stdout)


@pytest.fixture
def kept_awake():
    """``manage.py keepawake`` for one core; the process, and the one that takes the core's turns."""
    parent = python_processes.start(["manage.py", "keepawake", "--cores", str(CORE)], env={**os.environ})
    children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
    try:
        eventually(
            lambda: _takes_turns(children.read_text().split(), parent.pid), "a program at idle priority"
        )
        (child,) = map(int, children.read_text().split())
        yield parent, child
    finally:
        parent.kill()
        parent.wait()


def _takes_turns(pids: list[str], parent_pid: int) -> bool:
    if len(pids) != 1:
        return False
    try:
        # The trial before it is told of no parent, and ends at once, or somewhat later where processors are scarce.
        if Path(f"/proc/{pids[0]}/cmdline").read_bytes().split(b"\0")[-2:] != [str(parent_pid).encode(), b""]:
            return False
        before = _cpu_ticks(int(pids[0]))
        time.sleep(0.05)
        return os.sched_getscheduler(int(pids[0])) == os.SCHED_IDLE and _cpu_ticks(int(pids[0])) > before
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_core_is_kept_awake_at_idle_priority_until_sigterm(kept_awake):
    parent, child = kept_awake
    assert os.sched_getaffinity(child) == {CORE}
    parent.send_signal(signal.SIGTERM)
    assert parent.wait(30) == 0
    assert not lives(child)


def test_nothing_goes_on_when_the_parent_is_killed(kept_awake):
    parent, child = kept_awake
    parent.kill()
    eventually(lambda: not lives(child), "the end of the program")


def test_whoever_wants_the_core_has_it(kept_awake):
    _, child = kept_awake
    # One of equal priority would have as much, and so would one at idle priority in a session of equal priority.
    assert _taken_from_a_competitor(child) < 0.1


@pytest.mark.parametrize(
    ("idle", "competes"),
    [
        ({}, None),
        ({"system.slice": "0"}, "/system.slice"),
        ({"system.slice": "0", "system.slice/awake.service": "0"}, "/system.slice/awake.service"),
        ({"system.slice": "0", "system.slice/awake.service": "1"}, None),
    ],
)
@pytest.mark.parametrize(("membership", "folder"), [("0::", ""), ("1:cpu,cpuacct:", "cpu")])
def test_a_control_group_counts_like_any_other_unless_it_is_idle(
    tmp_path: Path, idle: dict[str, str], competes: str | None, membership: str, folder: str
):
    for group, value in idle.items():
        (tmp_path / folder / group).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / group / "cpu.idle").write_text(f"{value}\n")
    memberships = f"9:memory:/elsewhere\n{membership}/system.slice/awake.service\n"
    assert group_that_competes(memberships, tmp_path) == competes


def test_a_group_that_competes_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(awake, "group_that_competes", lambda *_: "/user.slice")
    with pytest.raises(CannotKeepAwake, match=r"/user\.slice has its share .* CPUWeight=idle"):
        keep_awake([CORE], print)


def test_a_core_that_cannot_be_had_is_said_so_before_anything_runs():
    said: list[str] = []
    with pytest.raises(CannotKeepAwake, match="core 4096 at idle priority: Invalid argument"):
        keep_awake([4096], said.append)
    assert said == []


def test_the_command_says_how_long_a_round_trip_takes_and_which_cores_there_are(
    capsys: pytest.CaptureFixture[str],
):
    call_command("keepawake", "--measure")
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"A process that slept on core {CORE} answers one on core {OWN[0]} within ")
    with pytest.raises(CommandError, match="--cores: core 4096 is not one of"):
        call_command("keepawake", "--cores", "4096")


def test_measuring_leaves_this_process_its_cores():
    trip = round_trip(OWN, times=20)
    assert trip.mean_ms > 0
    assert trip.p99_ms > 0
    assert sorted(os.sched_getaffinity(0)) == OWN
