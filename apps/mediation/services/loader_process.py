"""What a loader's own process does. Imports nothing of Django's before Django is set up: the process begins here."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any


def work(todo: Queue[str | None], done: Queue[Any], clock: Callable[[], datetime], dry_run: bool) -> None:
    """Load the files named in ``todo`` until None comes; outcomes, and at the end None, go to ``done``."""
    import django

    django.setup()

    from django.db import connections

    from apps.mediation.services.intake import load_files

    for path in iter(todo.get, None):
        for outcome in load_files([Path(path)], clock, dry_run=dry_run):
            done.put(outcome)
    done.put(None)
    connections.close_all()
