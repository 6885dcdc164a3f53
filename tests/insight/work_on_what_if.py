"""``python -m tests.insight.work_on_what_if ID [STEP]``: work on one, until SIGKILL at a step of its second portion."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

STEPS = ("_claim", "simulate", "_write")
"""It dies as soon as this is done."""


def main(what_if_id: str, step: str = "") -> None:
    import django

    django.setup()

    from apps.insight.services import what_if
    from apps.kernel.clock import utc_now

    def dying(real: Callable[..., Any]) -> Callable[..., Any]:
        done = []

        def call(*given: Any) -> Any:
            result = real(*given)
            done.append(result)
            if len(done) == 2:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return call

    if step:
        setattr(what_if, step, dying(getattr(what_if, step)))
    what_if.work(int(what_if_id), utc_now)


if __name__ == "__main__":
    main(*sys.argv[1:])
