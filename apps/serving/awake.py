"""Keeping processors awake: on a virtual machine the host takes up to milliseconds to wake one that sleeps.

The kernel's own means are better where they can be had: ``idle=poll`` at the start, or the haltpoll governor.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import NamedTuple

from apps.kernel.errors import BssError
from apps.serving.processes import Announce, keep_running

_TURNS = Path(__file__).with_name("unwanted_turns.py")
_MEMBERSHIPS = Path("/proc/self/cgroup")
_CGROUPS = Path("/sys/fs/cgroup")
_NOBODY = 0
_GRACE_S = 5.0
_PAUSE_S = 0.0005
_TIMES = 1_000
_ECHO = "import os\nwhile octets := os.read(0, 1): os.write(1, octets)"


class CannotKeepAwake(BssError):
    """The system does not let a process compute at idle priority on a core of its choice, or only at others' cost."""

    code = "cannot_keep_awake"


class RoundTrip(NamedTuple):
    """How long a process that slept on another core takes to answer, milliseconds."""

    mean_ms: float
    p99_ms: float


def round_trip(cores: Sequence[int], times: int = _TIMES) -> RoundTrip:
    """Measured between the first and the last of the cores, with pauses of half a millisecond; takes a second or so."""
    before = os.sched_getaffinity(0)
    other = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _ECHO], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    )
    assert other.stdin is not None
    assert other.stdout is not None
    took = []
    try:
        os.sched_setaffinity(other.pid, {cores[-1]})
        os.sched_setaffinity(0, {cores[0]})
        for _ in range(times + 1):
            time.sleep(_PAUSE_S)
            began = time.perf_counter()
            other.stdin.write(b"?")
            other.stdout.read(1)
            took.append((time.perf_counter() - began) * 1_000)
    finally:
        os.sched_setaffinity(0, before)
        other.stdin.close()
        other.wait()
        other.stdout.close()
    # The first waited for the other to start.
    took = sorted(took[1:])
    return RoundTrip(mean(took), took[len(took) * 99 // 100])


def keep_awake(cores: Sequence[int], announce: Announce) -> None:
    """Keep these cores awake until SIGTERM or SIGINT; who else wants one has it at once. Raises CannotKeepAwake."""
    memberships = _MEMBERSHIPS.read_text() if _MEMBERSHIPS.is_file() else ""
    if (group := group_that_competes(memberships, _CGROUPS)) is not None:
        raise CannotKeepAwake(
            f"the control group {group} has its share of the processors like any other, so keeping them awake here "
            "would take turns from the others; run it in an idle one (systemd: a unit with CPUWeight=idle)"
        )
    for core in cores:
        # Without a parent it ends at once, but only after having got its core and its priority.
        trial = subprocess.run(_turns_of(core, _NOBODY), capture_output=True, text=True)
        if trial.returncode != 0:
            raise CannotKeepAwake(trial.stderr.strip())
    keep_running([_turns_of(core, os.getpid()) for core in cores], "keepawake", _GRACE_S, announce)


def group_that_competes(memberships: str, root: Path) -> str | None:
    """The control group by which a process has processor time at the cost of others, whatever its own priority.

    ``memberships`` are those of /proc/self/cgroup, ``root`` is where control groups are mounted (version 2, or the
    ``cpu`` folder of version 1). None where the nearest group that shares out processor time is idle, or there is none.
    """
    for line in memberships.splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0":
            mounted = root
        elif "cpu" in controllers.split(","):
            mounted = root / "cpu"
        else:
            continue
        folder = mounted / path.lstrip("/")
        while folder != mounted:
            idle = folder / "cpu.idle"
            if idle.is_file():
                return None if idle.read_text().strip() == "1" else f"/{folder.relative_to(mounted)}"
            folder = folder.parent
    return None


def _turns_of(core: int, parent_pid: int) -> list[str]:
    return [sys.executable, "-I", "-S", str(_TURNS), str(core), str(parent_pid)]
