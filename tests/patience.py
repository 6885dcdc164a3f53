"""Waiting for what other processes do: as long as it takes, and no longer than a minute."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

PATIENCE_S = 60.0


def eventually(true: Callable[[], object], what: str = "it") -> None:
    """Wait until ``true()`` holds; fails after a minute, saying that ``what`` did not come about."""
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, f"{what} did not come about"
        time.sleep(0.02)


def lives(pid: int) -> bool:
    """Whether a process runs, and is not merely waiting for its parent to take note of its end."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
