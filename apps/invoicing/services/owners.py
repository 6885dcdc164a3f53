"""Which process has a piece of work in hand, and whether it still lives."""

from __future__ import annotations

import os
import socket
from functools import cache
from pathlib import Path


def this_process() -> str:
    """A name of this very process: host, process id, and when it began, since ids are used again."""
    return _name_of(os.getpid())


@cache
def _name_of(pid: int) -> str:
    return f"{host()}:{pid}:{_began(pid)}"


@cache
def host() -> str:
    # Processes of two containers have nothing to do with each other, though their ids may be the same.
    try:
        namespace = os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        namespace = 0
    return f"{socket.gethostname()[:60]}/{namespace}"


def has_ended(owner: str) -> bool:
    """Whether that process was one of this host's and is no more. Of other hosts' nothing is known."""
    where, _, rest = owner.partition(":")
    pid, _, began = rest.partition(":")
    return where == host() and pid.isdigit() and _began(int(pid)) != began


def _began(pid: int) -> str:
    """When the process began (clock ticks after boot), or nothing if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    # A zombie works no more.
    return "" if fields[0] in "ZX" else fields[19]
