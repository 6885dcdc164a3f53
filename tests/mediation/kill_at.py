"""``python -m tests.mediation.kill_at STEP FILE``: a loader that dies by SIGKILL as soon as it gets to a step."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path


def main(step: str, path: str) -> None:
    import django

    django.setup()

    from apps.mediation.services import batches
    from apps.mediation.services.load_file import load_file
    from tests.mediation.samples import NOW

    # So that there is something between the first rows and the last.
    batches.CHUNK_RECORDS = 10

    def die_at(reached: str, done: int, total: int) -> None:
        if reached == step and (reached != "stored" or done > 10):
            os.kill(os.getpid(), signal.SIGKILL)

    load_file(Path(path), now=NOW, on_step=die_at)


if __name__ == "__main__":
    main(*sys.argv[1:])
