"""Child processes that never outlive their parent, stopped by their own process group."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with(parent: int, signal_number: int = signal.SIGKILL) -> None:
    """Ask Linux to send this process a signal when its parent, or the parent's spawning thread, ends.

    Elsewhere it does nothing. ``parent`` is the process id that the parent had when it made this process:
    if it has ended already, the signal would never come, so the process ends at once.
    """
    if _LIBC is None:
        return
    _LIBC.prctl(_PR_SET_PDEATHSIG, int(signal_number), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def leash(death_signal: int = signal.SIGKILL) -> Callable[[], None]:
    """A ``preexec_fn`` by which a child gets this signal when this process, or the thread that made it, ends."""
    parent = os.getpid()

    def tie() -> None:
        die_with(parent, death_signal)

    return tie


def spawn(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    output: int | IO[bytes] | None = subprocess.DEVNULL,
    death_signal: int = signal.SIGKILL,
) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own: a Ctrl-C of the terminal reaches the parent only.

    ``output`` is for what it writes, errors too; None: it writes where this process does. It gets ``death_signal``
    when the spawning thread ends, so spawn from a thread that lives as long as it should.
    """
    return subprocess.Popen(
        [os.fspath(part) for part in argv],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=None if output is None else subprocess.STDOUT,
        env=dict(env) if env is not None else None,
        cwd=cwd,
        start_new_session=True,
        preexec_fn=leash(death_signal),
    )


def is_running(pid: int) -> bool:
    """Whether a process of this machine has this id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def signal_group(process: subprocess.Popen[bytes], signal_number: int) -> None:
    """Send a signal to a spawned process and everything it has started in its session."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal_number)


def kill(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL the process and its group, and wait for its end."""
    signal_group(process, signal.SIGKILL)
    process.wait()


def stop(process: subprocess.Popen[bytes], grace_s: float = 10) -> int:
    """SIGTERM the process, SIGKILL its group after the grace; the exit status."""
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(grace_s)
    # Processes left in its session go too, also if it ended by itself.
    kill(process)
    return process.returncode
