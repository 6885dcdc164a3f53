"""``python -m tests.mediation.kill_reconciling STEP``: a reconciliation that dies by SIGKILL when it gets to a step."""

from __future__ import annotations

import os
import signal
import sys
from datetime import timedelta


def main(step: str) -> None:
    import django

    django.setup()

    from apps.charging.services import ledger
    from apps.mediation.services import reconciling
    from tests.charging.stored import NOW

    post, conclude = ledger.post, reconciling._conclude

    def die(reached: str) -> None:
        if reached == step:
            os.kill(os.getpid(), signal.SIGKILL)

    def posting(*args: object, **fields: object) -> object:
        die("compared")
        entry = post(*args, **fields)  # type: ignore[arg-type]
        die("posted")
        return entry

    def concluding(*args: object) -> None:
        die("found")
        conclude(*args)  # type: ignore[arg-type]
        die("settled")

    ledger.post, reconciling._conclude = posting, concluding  # type: ignore[assignment]
    reconciling.reconcile(NOW + timedelta(hours=2), by="test", policy="adjust")
    die("done")


if __name__ == "__main__":
    main(*sys.argv[1:])
