"""``python unwanted_turns.py CORE PARENT``: takes the turns of a core that nobody else wants, until the parent is gone.

A program of its own, of which each core that is kept awake has one; it needs nothing but Python.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time

# A few milliseconds: how long it goes on after its parent is gone.
TURNS_BETWEEN_LOOKS = 20_000


def take_unwanted_turns(core: int, parent_pid: int) -> None:
    """Compute nothing on the core, at idle priority, for as long as this is the parent. Raises OSError."""
    os.sched_setaffinity(0, {core})
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    _give_way_to_other_sessions()
    give_way = os.sched_yield
    while os.getppid() == parent_pid:
        # Even at idle priority the scheduler leaves it turns of several milliseconds, unless it gives each away.
        for _ in range(TURNS_BETWEEN_LOOKS):
            give_way()


def _give_way_to_other_sessions() -> None:
    """Where each session has its turns as a group (autogroup), idle priority counts only inside one's own."""
    with contextlib.suppress(PermissionError):
        os.setsid()
    for _ in range(100):
        try:
            with open("/proc/self/autogroup", "w") as group:
                group.write("19")
            return
        except BlockingIOError:
            # Ten times a second is as often as the system takes it.
            time.sleep(0.1)
        except OSError:
            # There are no such groups.
            return


if __name__ == "__main__":
    try:
        take_unwanted_turns(int(sys.argv[1]), int(sys.argv[2]))
    except OSError as error:
        sys.exit(f"a process cannot compute on core {sys.argv[1]} at idle priority: {error.strerror}")
    except KeyboardInterrupt:
        # Ctrl-C reaches everybody at the terminal; the parent says what there is to say.
        pass
