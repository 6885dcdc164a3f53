"""A task that never ends by itself, for tests of what becomes of it."""

from __future__ import annotations

import os
import time
from pathlib import Path

from apps.runtime.tasks import shared_task


@shared_task(name="tests.work_for_ever")
def work_for_ever(path: str) -> None:
    Path(path).write_text(str(os.getpid()))
    time.sleep(600)
