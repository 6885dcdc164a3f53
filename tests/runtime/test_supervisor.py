"""The supervisor: real processes that are ready, crash, are killed, refuse to stop, or lose their parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.runtime.supervisor import (
    LONGEST_DELAY_S,
    NotReady,
    PrefixedLines,
    ProcessSpec,
    Supervisor,
    restart_delay_s,
    running,
)
from tests.patience import PATIENCE_S, eventually, lives


def spec(name: str, code: str, *, ready_when: str = "up", grace_s: float = 20.0) -> ProcessSpec:
    command = (sys.executable, "-u", "-c", textwrap.dedent(code))
    return ProcessSpec(name=name, command=command, ready_when=ready_when, grace_s=grace_s)


SLEEPER = """
    import time
    print("up")
    time.sleep(600)
"""


class Lines:
    """Keeps the output."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def __call__(self, name: str, line: str) -> None:
        self.lines.append((name, line))

    def of(self, name: str) -> list[str]:
        return [line for writer, line in self.lines if writer == name]


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def supervise(lines: Lines) -> Iterator[Callable[..., Supervisor]]:
    started: list[Supervisor] = []

    def start(*specs: ProcessSpec) -> Supervisor:
        supervisor = Supervisor(lambda: specs, write=lines, look_again_s=0.05)
        started.append(supervisor)
        supervisor.start()
        return supervisor

    yield start
    for supervisor in started:
        supervisor.stop()


def test_every_line_of_a_process_is_written_under_its_name(
    supervise: Callable[..., Supervisor], lines: Lines
) -> None:
    chatty = """
        import sys
        print("to standard output")
        print("to standard error", file=sys.stderr)
        print("up")
        sys.stdin.read()
        import time; time.sleep(600)
    """
    supervise(spec("one", chatty), spec("two", SLEEPER)).wait_ready(PATIENCE_S)
    assert lines.of("one") == ["to standard output", "to standard error", "up"]
    assert lines.of("two") == ["up"]


def test_a_killed_process_is_started_again(supervise: Callable[..., Supervisor], lines: Lines) -> None:
    supervisor = supervise(spec("worker", SLEEPER), spec("bystander", SLEEPER))
    supervisor.wait_ready(PATIENCE_S)
    before = supervisor.pids()
    os.kill(before["worker"], signal.SIGKILL)
    eventually(lambda: supervisor.pids().get("worker", before["worker"]) != before["worker"])
    supervisor.wait_ready(PATIENCE_S)
    assert supervisor.pids()["bystander"] == before["bystander"]
    assert any("killed by signal 9" in line for line in lines.of("worker"))


def test_what_a_dead_process_had_started_goes_with_it(
    supervise: Callable[..., Supervisor], lines: Lines
) -> None:
    parent = """
        import subprocess, sys, time
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        print("child", child.pid)
        print("up")
        time.sleep(600)
    """
    supervisor = supervise(spec("parent", parent))
    supervisor.wait_ready(PATIENCE_S)
    child = int(lines.of("parent")[0].split()[1])
    os.kill(supervisor.pids()["parent"], signal.SIGKILL)
    eventually(lambda: not lives(child))


def test_a_process_that_always_fails_is_not_ready_and_tells_what_it_wrote(
    supervise: Callable[..., Supervisor],
) -> None:
    supervisor = supervise(spec("broken", 'raise SystemExit("no such table")'))
    with pytest.raises(NotReady, match="no such table"):
        supervisor.wait_ready(3)
    assert not supervisor.is_ready()


def test_a_program_that_does_not_exist_is_said_and_tried_again(
    supervise: Callable[..., Supervisor], lines: Lines
) -> None:
    supervise(ProcessSpec("ghost", ("/no/such/program",)))
    eventually(lambda: len(lines.of("ghost")) >= 2)
    assert "cannot be started" in lines.of("ghost")[0]


@given(st.integers(min_value=1, max_value=10_000))
def test_the_delay_before_a_restart_grows_and_has_a_limit(failures: int) -> None:
    assert 0 < restart_delay_s(failures) <= restart_delay_s(failures + 1) <= LONGEST_DELAY_S


def test_a_process_that_is_wanted_later_starts_and_one_no_longer_wanted_stops(lines: Lines) -> None:
    wanted = [spec("bc_1", SLEEPER)]
    with Supervisor(lambda: list(wanted), write=lines, look_again_s=0.05) as supervisor:
        supervisor.wait_ready(PATIENCE_S)
        first = supervisor.pids()["bc_1"]
        wanted.append(spec("bc_2", SLEEPER))
        eventually(lambda: set(supervisor.pids()) == {"bc_1", "bc_2"})
        assert supervisor.pids()["bc_1"] == first
        del wanted[0]
        eventually(lambda: set(supervisor.pids()) == {"bc_2"})
        assert not lives(first)


def test_everything_runs_on_if_the_wanted_processes_cannot_be_read(lines: Lines) -> None:
    answers: list[ProcessSpec] | None = [spec("bc_1", SLEEPER)]

    def wanted() -> list[ProcessSpec]:
        if answers is None:
            raise RuntimeError("the database is away")
        return answers

    with Supervisor(wanted, write=lines, look_again_s=0.05) as supervisor:
        supervisor.wait_ready(PATIENCE_S)
        pid = supervisor.pids()["bc_1"]
        answers = None
        eventually(lambda: any("the database is away" in line for line in lines.of("supervisor")))
        assert supervisor.pids() == {"bc_1": pid}
        assert lives(pid)


def test_a_process_that_ignores_sigterm_is_killed_after_its_grace(lines: Lines) -> None:
    stubborn = """
        import signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("up")
        time.sleep(600)
    """
    with running([spec("stubborn", stubborn, grace_s=0.2)], write=lines) as supervisor:
        pid = supervisor.pids()["stubborn"]
    assert not lives(pid)
    assert "does not stop; killed" in lines.of("stubborn")


def test_a_process_that_stops_by_itself_on_sigterm_is_let_finish(lines: Lines) -> None:
    tidy = """
        import signal, sys, time
        def finish(*_):
            time.sleep(0.3)
            print("the task in hand is done")
            sys.exit(0)
        signal.signal(signal.SIGTERM, finish)
        print("up")
        time.sleep(600)
    """
    with running([spec("tidy", tidy)], write=lines):
        pass
    assert lines.of("tidy")[-1] == "the task in hand is done"


SUPERVISOR_PROGRAM = """
import sys
from apps.runtime.supervisor import PrefixedLines, ProcessSpec, Supervisor

sleeper = (sys.executable, "-u", "-c", "import os, time; print('pid', os.getpid()); print('up'); time.sleep(600)")
specs = [ProcessSpec(name, sleeper, ready_when="up") for name in ("one", "two")]
lines = PrefixedLines(sys.stdout)
sys.exit(Supervisor(lambda: specs, write=lines).run(lambda ready: lines("supervisor", f"ready: {ready}")))
"""


def started_program() -> tuple[subprocess.Popen[str], list[int]]:
    """A supervisor in a process of its own, and the pids of its two children."""
    program = subprocess.Popen(
        [sys.executable, "-u", "-c", SUPERVISOR_PROGRAM],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert program.stdout is not None
    pids = []
    for line in program.stdout:
        if "| pid" in line:
            pids.append(int(line.split()[-1]))
        if "ready: True" in line:
            return program, pids
    raise AssertionError("the supervisor did not become ready")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_all_and_the_supervisor_ends_well(number: int) -> None:
    program, pids = started_program()
    with program:
        program.send_signal(number)
        assert program.wait(PATIENCE_S) == 0
    assert len(pids) == 2
    assert not any(lives(pid) for pid in pids)


def test_no_orphans_stay_when_the_supervisor_itself_is_killed() -> None:
    program, pids = started_program()
    with program:
        program.kill()
        program.wait(PATIENCE_S)
    assert len(pids) == 2
    eventually(lambda: not any(lives(pid) for pid in pids))


DRAINING_PROGRAM = """
import signal, sys
from apps.runtime.supervisor import ProcessSpec, Supervisor

child = (
    "import os, signal, sys, time\\n"
    "def drain(*_):\\n"
    "    print('drained', flush=True)\\n"
    "    sys.exit(0)\\n"
    "signal.signal(signal.SIGTERM, drain)\\n"
    "print('pid', os.getpid(), flush=True)\\n"
    "time.sleep(600)\\n"
)
spec = ProcessSpec("one", (sys.executable, "-c", child), captured=False, death_signal=signal.SIGTERM)
sys.exit(Supervisor(lambda: [spec]).run())
"""


def test_a_draining_process_drains_when_its_supervisor_is_killed_and_logs_to_the_same_place() -> None:
    program = subprocess.Popen(
        [sys.executable, "-u", "-c", DRAINING_PROGRAM],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with program:
        assert program.stdout is not None
        pid = int(program.stdout.readline().removeprefix("pid "))
        program.kill()
        assert program.stdout.readline() == "drained\n"
    eventually(lambda: not lives(pid))


def test_names_are_coloured_on_a_terminal_only(capsys: pytest.CaptureFixture[str]) -> None:
    PrefixedLines(sys.stdout, width=4)("web", "hello")
    PrefixedLines(sys.stdout, width=4, colour=True)("web", "hello")
    assert capsys.readouterr().out == "web  | hello\n\x1b[36mweb  |\x1b[0m hello\n"
