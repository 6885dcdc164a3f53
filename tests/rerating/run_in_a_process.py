"""A worker on a re-rating that can be killed at a step: ``python -m tests.rerating.run_in_a_process JOB STEP``.

DATABASE_URL names the database. STEP is one of STEPS, or “none” to come through. The steps are the product's own
functions; the process dies by SIGKILL just before the second call of one, so that something is committed before.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

import django

ROOM = "apps.rerating.services"
SIMULATING = {
    "before-accounts-are-collected": (f"{ROOM}.jobs", "collect_accounts", 1),
    "before-differences-are-written": (f"{ROOM}.simulating", "write_differences", 2),
    "before-the-simulation-is-finished": (f"{ROOM}.jobs", "_finish", 1),
}
APPLYING = {
    "before-an-account": (f"{ROOM}.applying", "apply_some", 2),
    "before-counters": (f"{ROOM}.applying", "move_counters", 2),
    "before-records": (f"{ROOM}.applying", "correct_charges", 2),
    "before-sums-of-files": ("apps.mediation.services.correcting", "_add", 3),
    "before-money": (f"{ROOM}.applying", "_move_money", 2),
    "before-statistics": (f"{ROOM}.applying", "correct_usage", 2),
    "before-it-is-finished": (f"{ROOM}.jobs", "publish", 1),
}
REVERSING = {
    "before-an-account-is-reversed": (f"{ROOM}.applying", "reverse_some", 2),
    "before-counters-go-back": (f"{ROOM}.applying", "move_counters_back", 2),
    "before-records-go-back": (f"{ROOM}.applying", "take_back_charges", 2),
    "before-money-goes-back": (f"{ROOM}.applying", "_move_money", 2),
    "before-statistics-go-back": (f"{ROOM}.applying", "correct_usage", 2),
    "before-the-reversal-is-finished": (f"{ROOM}.jobs", "_finish", 1),
}
STEPS = SIMULATING | APPLYING | REVERSING


def die_before(step: str) -> None:
    module_name, name, call = STEPS[step]
    module = import_module(module_name)
    original: Callable[..., Any] = getattr(module, name)
    calls = 0

    def dies(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*args, **kwargs)

    setattr(module, name, dies)


def main(job_id: int, step: str) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bss_project.settings")
    django.setup()
    from apps.rerating.services import applying, jobs, simulating
    from tests.rerating.scenes import NOW

    simulating.ACCOUNTS_AT_ONCE = applying.ACCOUNTS_AT_ONCE = 1
    if step != "none":
        die_before(step)
    jobs.work(job_id, lambda: NOW)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
