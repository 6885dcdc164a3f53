"""Keeping a server process to one core, so that its threads take their turns without waking another core."""

from __future__ import annotations

import contextlib
import os
import threading

from apps.kernel.errors import InvalidInput


def cores_from_text(text: str) -> tuple[int, ...]:
    """Numbers of cores, split by commas; none if the text is empty. Raises InvalidInput for cores that do not exist."""
    if not text.strip():
        return ()
    try:
        cores = tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise InvalidInput(f"“{text}” is no list of cores; write it like 2,3") from error
    if not hasattr(os, "sched_setaffinity"):
        raise InvalidInput("this system does not let a process choose its core")
    allowed = os.sched_getaffinity(0)
    unknown = [core for core in cores if core not in allowed]
    if unknown:
        raise InvalidInput(
            f"core {unknown[0]} is not one of those that this process may use: {', '.join(map(str, sorted(allowed)))}"
        )
    return cores


def keep_to_core(core: int) -> None:
    """For the process's threads and those that they start, each of which keeps the core until it waits.

    A woken thread would otherwise preempt the thread that holds the GIL, and then block on the GIL.
    """
    for thread in threading.enumerate():
        if thread.native_id is not None:
            os.sched_setaffinity(thread.native_id, {core})
    with contextlib.suppress(PermissionError):
        # Some containers forbid it; it is a matter of speed only.
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
