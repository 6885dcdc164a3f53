"""Several processes behind one port: a dead one comes back, and all end together."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from apps.serving import processes
from apps.serving.ports import held_port

CHILD = "import os, sys, time; open(os.path.join(sys.argv[1], str(os.getpid())), 'w').close(); time.sleep(60)"
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + CHILD


@pytest.fixture
def kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, Callable[[list[int]], None]], list[str]]:
    """Runs two processes of a program, and beside them what is to happen; then stops them."""

    def run(program: str, meanwhile: Callable[[list[int]], None]) -> list[str]:
        said: list[str] = []
        handlers: dict[int, Callable[..., None]] = {}
        monkeypatch.setattr(processes, "RESTART_AFTER_S", 0.0)
        monkeypatch.setattr(processes.signal, "signal", handlers.__setitem__)
        worker = threading.Thread(
            target=processes.keep_running,
            args=([[sys.executable, "-c", program, str(tmp_path)]] * 2, "Test", 0.5, said.append),
        )
        worker.start()
        try:
            meanwhile(_started(tmp_path, 2))
        finally:
            handlers[signal.SIGTERM]()
            worker.join(30)
        assert not worker.is_alive()
        assert not [pid for pid in _started(tmp_path, 0) if _runs(pid)]
        return said

    return run


def _started(folder: Path, at_least: int) -> list[int]:
    wait = threading.Event()
    for _ in range(600):
        pids = [int(path.name) for path in folder.iterdir()]
        if len(pids) >= at_least:
            return pids
        wait.wait(0.05)
    raise AssertionError(f"fewer than {at_least} processes were started")


def _runs(pid: int) -> bool:
    return subprocess.run(["kill", "-0", str(pid)], capture_output=True, check=False).returncode == 0


def test_a_process_that_dies_is_started_again_and_said_so(tmp_path: Path, kept) -> None:
    def kill_one(pids: list[int]) -> None:
        os.kill(pids[0], signal.SIGKILL)
        _started(tmp_path, 3)

    (line,) = kept(CHILD, kill_one)
    assert line.endswith("ended with -9; starting another")


def test_one_that_does_not_end_when_told_is_killed_after_its_grace(kept) -> None:
    assert kept(DEAF, lambda pids: None) == []


def test_a_held_port_is_shared_with_those_who_ask_to_share_and_kept_from_others() -> None:
    with held_port("127.0.0.1", 0) as port:
        with socket.socket() as sharing:
            sharing.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sharing.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sharing.bind(("127.0.0.1", port))
            sharing.listen()
            with pytest.raises(OSError), held_port("127.0.0.1", port):
                pass
        with socket.socket() as other, pytest.raises(OSError):
            other.bind(("127.0.0.1", port))
