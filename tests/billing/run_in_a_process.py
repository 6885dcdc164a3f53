"""A bill run in a process of its own that can be killed at a step: ``python -m tests.billing.run_in_a_process STEP``.

DATABASE_URL names the database. STEP is one of STEPS, or “none” to come through. The steps are the product's own
functions; the process dies by SIGKILL just before the second call of one, so that something is committed before.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any

import django

# The module of each step, its name there and which call of it dies, in the order in which a chunk comes through them.
STEPS = {
    "before-the-run-is-committed": ("apps.billing.services.runs", "_send_chunks", 1),
    "before-a-chunk-is-begun": ("apps.billing.services.runs", "_begin_attempt", 2),
    "before-its-transaction": ("apps.billing.services.runs", "_bill_in_one_transaction", 2),
    "before-its-bills-are-written": ("apps.billing.services.billing", "write_bills", 2),
    "before-its-lines-are-written": ("apps.billing.services.inserting", "_write_lines", 2),
    "before-its-balances-are-settled": ("apps.billing.services.billing", "settle", 2),
    "before-its-accounts-move-on": ("apps.billing.services.billing", "move_on", 2),
    "before-its-bills-are-numbered": ("apps.billing.services.billing", "number_bills", 3),
    "after-its-bills-are-committed": ("apps.billing.services.runs", "continue_run", 2),
    "before-the-run-is-finished": ("apps.billing.services.runs", "notify", 1),
}


def die_before(step: str) -> None:
    module_name, name, call = STEPS[step]
    module = sys.modules[module_name]
    original: Callable[..., Any] = getattr(module, name)
    calls = 0

    def dies(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*args, **kwargs)

    setattr(module, name, dies)


def main(step: str, now: datetime) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bss_project.settings")
    django.setup()
    from apps.billing.domain import last_closed_period
    from apps.billing.models import BillCycle, BillRun
    from apps.billing.services import runs
    from apps.kernel.errors import Conflict

    if step != "none":
        die_before(step)
    cycle = BillCycle.objects.get(number=1)
    period = last_closed_period(now, cycle.day, cycle.zone)
    if BillRun.objects.filter(cycle=cycle, period_end=period.end, state=BillRun.State.COMPLETED).exists():
        return  # Another process was quicker; to begin it once more would be a repeated run.
    try:
        run = runs.begin_run(cycle, period, None, now)
    except Conflict:
        # Another process has begun it; help.
        run = BillRun.objects.get(cycle=cycle, period_end=period.end)
    for chunk_id in run.chunks.order_by("number").values_list("pk", flat=True):
        runs.bill_chunk(chunk_id, now)
    runs.continue_run(run.pk, now)


if __name__ == "__main__":
    main(sys.argv[1], datetime.fromisoformat(sys.argv[2]))
