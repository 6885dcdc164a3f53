"""Keeps a list of processes running: ready, restarted after a crash, stopped together, never left behind.

``Supervisor(wanted)`` asks ``wanted()`` every few seconds which processes there should be, so that a new one (a bill
cycle's worker) starts, and one that is no longer wanted stops, without a restart of the rest. Every process is spawned
by the one keeper thread, which lives until ``stop()``: Linux ends the processes if it, and with it this process, dies.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from apps.runtime import children

TICK_S = 0.1
# A process that ran this long before it ended is restarted at once, as if it had never failed.
HEALTHY_AFTER_S = 60.0
LONGEST_DELAY_S = 30.0

COLOURS = (36, 32, 33, 35, 34, 96, 92, 93, 95, 94)


@dataclass(frozen=True)
class ProcessSpec:
    """A process that should run. ``name`` is unique and stands before each of its lines.

    ``ready_when`` is a text in its output that says it has started; empty: it is ready once it runs.
    ``grace_s`` is how long it may take to end after SIGTERM before it is killed. ``death_signal`` is what Linux sends
    it if its keeper dies. One that is not ``captured`` writes where the keeper does, and its lines are not seen here.
    """

    name: str
    command: tuple[str, ...]
    ready_when: str = ""
    env: Mapping[str, str] | None = field(default=None, hash=False)
    cwd: Path | None = None
    grace_s: float = 20.0
    captured: bool = True
    death_signal: int = signal.SIGKILL


Wanted = Callable[[], Sequence[ProcessSpec]]
WriteLine = Callable[[str, str], None]


class NotReady(Exception):
    """Some processes were not ready in time; says which, and what they wrote last."""


def restart_delay_s(failures: int) -> float:
    """How long to wait before the next start after so many failures in a row: ½ s, then double, at most 30 s."""
    return 0.0 if failures <= 0 else float(min(LONGEST_DELAY_S, 0.5 * 2 ** (min(failures, 20) - 1)))


class PrefixedLines:
    """Writes ``name | line``; the names in colours on a terminal. Safe to call from several threads."""

    def __init__(self, stream: IO[str], *, width: int = 14, colour: bool | None = None) -> None:
        self._stream = stream
        self._width = width
        self._colour = stream.isatty() if colour is None else colour
        self._colours: dict[str, int] = {}
        self._lock = threading.Lock()

    def __call__(self, name: str, line: str) -> None:
        with self._lock:
            prefix = f"{name:<{self._width}} |"
            if self._colour:
                number = self._colours.setdefault(name, COLOURS[len(self._colours) % len(COLOURS)])
                prefix = f"\x1b[{number}m{prefix}\x1b[0m"
            # The reader of the log has gone: the processes run on.
            with contextlib.suppress(BrokenPipeError, ValueError):
                self._stream.write(f"{prefix} {line}\n")
                self._stream.flush()


class _Child:
    """One wanted process and what has become of it; touched by the keeper thread, read by others."""

    def __init__(self, spec: ProcessSpec, write: WriteLine) -> None:
        self.spec = spec
        self.ready = threading.Event()
        self.failures = 0
        self.starts = 0
        self.restart_at = 0.0
        self.last_lines: deque[str] = deque(maxlen=20)
        self.process: subprocess.Popen[bytes] | None = None
        self._write = write
        self._started_at = 0.0
        self._reader: threading.Thread | None = None

    def start(self) -> None:
        self.ready.clear()
        self._started_at = time.monotonic()
        self.starts += 1
        try:
            self.process = children.spawn(
                self.spec.command,
                env=self.spec.env,
                cwd=self.spec.cwd,
                output=subprocess.PIPE if self.spec.captured else None,
                death_signal=self.spec.death_signal,
            )
        except OSError as error:
            self.say(f"cannot be started: {error}")
            self.plan_restart()
            return
        if not self.spec.ready_when:
            self.ready.set()
        if self.spec.captured:
            self._reader = threading.Thread(target=self._read, args=(self.process,), daemon=True)
            self._reader.start()

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        for raw in process.stdout:
            line = raw.decode(errors="replace").rstrip("\r\n")
            self.last_lines.append(line)
            self._write(self.spec.name, line)
            if self.spec.ready_when and self.spec.ready_when in line:
                self.ready.set()
        process.stdout.close()

    def look(self) -> None:
        """Note an end of the process, and start it again when its time has come."""
        if self.process is None:
            if time.monotonic() >= self.restart_at:
                self.start()
        elif self.process.poll() is not None:
            status = self.process.returncode
            self.end_of_process()
            how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
            self.plan_restart()
            self.say(f"{how}; starting it again in {self.restart_at - time.monotonic():.1f} s")

    def plan_restart(self) -> None:
        now = time.monotonic()
        self.failures = 1 if now - self._started_at >= HEALTHY_AFTER_S else self.failures + 1
        self.restart_at = now + restart_delay_s(self.failures)

    def end_of_process(self) -> None:
        """Clean up after a process that has ended, and log its last lines."""
        assert self.process is not None
        self.ready.clear()
        children.kill(self.process)
        if self._reader is not None:
            self._reader.join(timeout=2)
        self.process = None

    def say(self, line: str) -> None:
        self.last_lines.append(line)
        self._write(self.spec.name, line)


class Supervisor:
    """Runs what ``wanted()`` names. ``with Supervisor(…) as it: it.wait_ready(30)``, or ``it.run()`` until a signal.

    ``wanted`` is called in the keeper thread, first at the start; if it raises, the processes stay as they are and the
    error is written. ``write(name, line)`` gets every line of output (by default: prefixed, on standard output).
    """

    def __init__(self, wanted: Wanted, *, write: WriteLine | None = None, look_again_s: float = 10.0) -> None:
        self._wanted = wanted
        self._write = write or PrefixedLines(sys.stdout)
        self._look_again_s = look_again_s
        self._children: dict[str, _Child] = {}
        self._lock = threading.Lock()
        self._known = threading.Event()
        self._stopping = threading.Event()
        self._hurry = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="supervisor", daemon=True)

    def __enter__(self) -> Supervisor:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        self._keeper.start()

    def wait_ready(self, timeout_s: float = 60.0) -> None:
        """Wait until every wanted process is ready; raises NotReady after the timeout."""
        deadline = time.monotonic() + timeout_s
        if not self._known.wait(timeout_s):
            raise NotReady("what should run could not be found out; see the lines above")
        for child in self._snapshot():
            if not child.ready.wait(max(0.0, deadline - time.monotonic())):
                lines = "\n".join(f"    {line}" for line in child.last_lines) or "    (nothing)"
                raise NotReady(
                    f"{child.spec.name} was not ready within {timeout_s:.0f} s. It wrote:\n{lines}"
                )

    def is_ready(self) -> bool:
        return self._known.is_set() and all(child.ready.is_set() for child in self._snapshot())

    def pids(self) -> dict[str, int]:
        """The process ids of what runs now, by name."""
        return {c.spec.name: p.pid for c in self._snapshot() if (p := c.process) is not None}

    def stop(self) -> None:
        """SIGTERM to all at once, SIGKILL to those that outstay their grace; returns when all are gone."""
        self._stopping.set()
        if self._keeper.ident is not None:
            self._keeper.join()

    def run(self, on_change: Callable[[bool], None] | None = None) -> int:
        """Start, and run until SIGINT or SIGTERM; a second signal kills without grace. For the main thread only.

        ``on_change(True)`` is called whenever everything has become ready, ``on_change(False)`` when that has ended.
        """
        received: list[int] = []

        def note(number: int, _frame: object) -> None:
            if received:
                self._hurry.set()
            received.append(number)

        ends = [signal.SIGINT, signal.SIGTERM]
        if sys.stdin is not None and sys.stdin.isatty():
            # Its terminal is closed. Without one, SIGHUP means that the licence is to be read again.
            ends.append(signal.SIGHUP)
        before = {number: signal.signal(number, note) for number in ends}
        try:
            self.start()
            ready = False
            while not received and self._keeper.is_alive():
                time.sleep(TICK_S)
                if self.is_ready() != ready:
                    ready = not ready
                    if on_change is not None:
                        on_change(ready)
            if ready and on_change is not None:
                on_change(False)
            self._write("supervisor", "stopping all processes")
            self._stopping.set()
            while self._keeper.is_alive():
                time.sleep(TICK_S)
            self._write("supervisor", "all processes have stopped")
            return 0 if received else 1
        finally:
            self.stop()
            for number, handler in before.items():
                signal.signal(number, handler)

    # --- The keeper thread ---

    def _keep(self) -> None:
        try:
            look_at = 0.0
            while not self._stopping.is_set():
                if time.monotonic() >= look_at:
                    self._follow_what_is_wanted()
                    look_at = time.monotonic() + self._look_again_s
                for child in self._snapshot():
                    child.look()
                self._stopping.wait(TICK_S)
        finally:
            self._end(self._snapshot())

    def _follow_what_is_wanted(self) -> None:
        try:
            specs = {spec.name: spec for spec in self._wanted()}
        except Exception as error:
            self._write("supervisor", f"cannot find out what should run, so nothing changes: {error}")
            return
        gone = [child for child in self._snapshot() if specs.get(child.spec.name) != child.spec]
        self._end(gone)
        with self._lock:
            for child in gone:
                del self._children[child.spec.name]
            for name, spec in specs.items():
                if name not in self._children:
                    self._children[name] = _Child(spec, self._write)
        self._known.set()

    def _end(self, ending: Sequence[_Child]) -> None:
        """Stop these, side by side."""
        running = [child for child in ending if child.process is not None]
        for child in running:
            assert child.process is not None
            with contextlib.suppress(ProcessLookupError):
                child.process.terminate()
        started = time.monotonic()
        for child in running:
            assert child.process is not None
            while child.process.poll() is None:
                if self._hurry.is_set() or time.monotonic() - started > child.spec.grace_s:
                    child.say("does not stop; killed")
                    children.kill(child.process)
                time.sleep(0.02)
            child.end_of_process()

    def _snapshot(self) -> list[_Child]:
        with self._lock:
            return list(self._children.values())


@contextlib.contextmanager
def running(
    specs: Sequence[ProcessSpec], *, write: WriteLine | None = None, ready_timeout_s: float = 60.0
) -> Iterator[Supervisor]:
    """These processes, ready, for as long as the block runs."""
    supervisor = Supervisor(lambda: specs, write=write)
    with supervisor:
        supervisor.wait_ready(ready_timeout_s)
        yield supervisor
