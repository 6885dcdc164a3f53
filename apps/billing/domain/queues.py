"""Names of the Celery queues of bill cycles."""

from __future__ import annotations

PREFIX = "billing.bc_"


def queue_of_cycle(number: int) -> str:
    """The queue on which everything of bill cycle ``number`` runs."""
    return f"{PREFIX}{number}"
