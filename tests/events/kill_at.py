"""``python -m tests.events.kill_at STEP``: a delivery that dies by SIGKILL as soon as it gets to a step."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

STEPS = ("before", "numbering", "numbered", "handling", "handled", "moved", "committed")
"""One transaction numbers events, another handles them and moves the mark; ``numbering``: not committed yet."""


def main(step: str) -> None:
    import django

    django.setup()

    from apps.events.models import Mark
    from apps.events.services import consuming, relay
    from apps.events.services.consuming import deliver
    from apps.insight.services import usage
    from tests.events.samples import NOW

    def die(reached: str) -> None:
        if reached == step:
            os.kill(os.getpid(), signal.SIGKILL)

    def before(reached: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            die(reached)
            return real(*given, **named)

        return call

    def after(reached: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            done = real(*given, **named)
            die(reached)
            return done

        return call

    def save(mark: Mark, **named: Any) -> None:
        real_save(mark, **named)
        die("moved" if mark.name == usage.USAGE.name else "")

    real_save, Mark.save = Mark.save, save  # type: ignore[method-assign]
    relay.update_few = after("numbering", relay.update_few)
    consuming.newest_number = before("numbered", consuming.newest_number)
    usage.add_to_sums = after("handled", before("handling", usage.add_to_sums))
    die("before")
    deliver(NOW)
    die("committed")


if __name__ == "__main__":
    main(*sys.argv[1:])
