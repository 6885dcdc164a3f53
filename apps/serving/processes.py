"""Several processes of one server: kept running, then stopped together."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Sequence

LOOK_EVERY_S = 0.1
RESTART_AFTER_S = 1.0

Announce = Callable[[str], None]


def keep_running(commands: Sequence[Sequence[str]], name: str, grace_s: float, announce: Announce) -> None:
    """Keep a process of each command running until SIGTERM or SIGINT; one that dies is started again.

    They then get SIGTERM, and are killed where they have not ended ``grace_s`` seconds later. ``name`` heads what is
    announced.
    """
    stopping = False

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    children = [subprocess.Popen(command) for command in commands]
    while not stopping:
        time.sleep(LOOK_EVERY_S)
        for index, child in enumerate(children):
            if not stopping and child.poll() is not None:
                announce(f"{name}: process {child.pid} ended with {child.returncode}; starting another")
                time.sleep(RESTART_AFTER_S)
                children[index] = subprocess.Popen(commands[index])
    for child in children:
        child.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + grace_s
    for child in children:
        try:
            child.wait(max(deadline - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
