"""``python -m tests.rating.kill_history STEP``: the history of the tariff is written, until SIGKILL at a step."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable, Iterator

STEPS = ("delivered", "streaming", "streamed", "committed")
"""The event is delivered before its task runs; ``streamed``: git has not been told that it is all."""


def main(step: str) -> None:
    import django

    django.setup()

    from apps.events.services.consuming import deliver
    from apps.kernel.clock import utc_now
    from apps.rating.services import history
    from apps.rating.tasks import write_tariff_history
    from apps.storage.git import GitDirectory, NewCommit

    def die(reached: str) -> None:
        if reached == step:
            os.kill(os.getpid(), signal.SIGKILL)

    real_append = GitDirectory.append

    def append(self: GitDirectory, commits: Iterable[NewCommit]) -> int:
        def stream() -> Iterator[NewCommit]:
            for commit in commits:
                die("streaming")
                yield commit
            die("streamed")

        written = real_append(self, stream())
        die("committed")
        return written

    GitDirectory.append = append  # type: ignore[method-assign]
    deliver(utc_now(), [history.HISTORY])
    die("delivered")
    write_tariff_history()


if __name__ == "__main__":
    main(*sys.argv[1:])
