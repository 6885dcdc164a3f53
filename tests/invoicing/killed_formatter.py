"""Run as a process by test_kill.py: formats one batch and kills itself at a step (SIGKILL: nothing is cleaned up)."""

from __future__ import annotations

import os
import signal
import sys
from datetime import datetime

import django


def main(step: str, count: int, now: datetime, only: int = 0) -> None:
    django.setup()
    from apps.invoicing.services import claims, document_files
    from apps.invoicing.services.documents import pdf_engine
    from apps.invoicing.services.formatter import format_batch

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    seen = 0

    def at_step(name: str, bill_id: int) -> None:
        nonlocal seen
        seen += name == step and only in (0, bill_id)
        if seen == count:
            die()

    if step == "writing":
        # The file's bytes are on their way to the disk.
        document_files.os.fsync = lambda descriptor: die()
    claims.release_of_dead(now)
    format_batch(pdf_engine(), lambda: now, on_step=at_step)
    print("survived")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), datetime.fromisoformat(sys.argv[3]), int(sys.argv[4]))
