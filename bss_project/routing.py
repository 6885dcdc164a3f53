"""Which queue a task goes to, by its name; tasks of a bill cycle are sent to the cycle's own queue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

QUEUE_OF_ROOM = {
    "apps.mediation.tasks.": "mediation",
    "apps.rerating.tasks.": "mediation",
    "apps.invoicing.tasks.": "invoicing",
}
SHARED_QUEUES = ("mediation", "invoicing", "maintenance")


def route(
    name: str, args: Any, kwargs: Any, options: Mapping[str, Any], task: Any = None, **_: Any
) -> dict[str, str] | None:
    """Celery's router: the room's queue, or None for the default one (maintenance).

    A task of a bill cycle is sent with its queue by its sender (``apps.billing.domain.queues``).
    """
    for prefix, queue in QUEUE_OF_ROOM.items():
        if name.startswith(prefix):
            return {"queue": queue}
    return None
