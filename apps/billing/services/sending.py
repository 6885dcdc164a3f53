"""Give tasks to the queues of bill cycles, once what they are about is committed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from functools import partial

from django.conf import settings
from django.db import transaction

TASKS = "apps.billing.tasks."


def patience() -> timedelta:
    """How long something that was given to a queue may stand still before it is given to it again."""
    return timedelta(seconds=settings.BILLING_RESEND_AFTER_S)


def send_on_commit(task: str, queue: str, ids: Iterable[int]) -> None:
    """A message for each id. A broker that is down loses nothing: what stands still is sent again by beat."""
    for pk in ids:
        transaction.on_commit(partial(_send, task, pk, queue), robust=True)


def _send(task: str, pk: int, queue: str) -> None:
    from apps.runtime.tasks import current_app

    current_app.send_task(TASKS + task, args=[pk], queue=queue)
