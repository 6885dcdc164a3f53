"""A process that carries out due plans and kills itself at a step: ``python -m tests.actions.kill_at STEP NOW``."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any

STEPS = (
    "before anything is locked",
    "behind the locks of balances",
    "before the balances are written",
    "before the entries are written",
    "before the events are written",
    "before the rows move on",
    "before the commit",
    "behind the commit",
)


def _killed(*_: Any, **__: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def _before(owner: Any, name: str) -> None:
    setattr(owner, name, _killed)


def _behind(owner: Any, name: str) -> None:
    real: Callable[..., Any] = getattr(owner, name)

    def call(*arguments: Any, **more: Any) -> Any:
        real(*arguments, **more)
        _killed()

    setattr(owner, name, call)


def main(step: str, now: datetime) -> None:
    import django

    django.setup()
    from apps.actions.services import plans
    from apps.charging.services import balance_actions

    batch = balance_actions._Batch
    {
        STEPS[0]: lambda: _before(plans, "carry_out"),
        STEPS[1]: lambda: _behind(batch, "_lock_and_read"),
        STEPS[2]: lambda: _before(batch, "_write_known"),
        STEPS[3]: lambda: _before(batch, "_write_entries"),
        STEPS[4]: lambda: _before(balance_actions, "publish"),
        STEPS[5]: lambda: _before(plans, "_move_on"),
        STEPS[6]: lambda: _behind(plans, "_move_on"),
        STEPS[7]: lambda: _behind(plans, "_carry_out"),
    }[step]()
    plans.run_due_plans(now)


if __name__ == "__main__":
    main(sys.argv[1], datetime.fromisoformat(sys.argv[2]))
