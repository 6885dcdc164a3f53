"""What beat has the room do: hand events over, and forget old ones."""

from __future__ import annotations

from apps.events.services.consuming import deliver
from apps.events.services.keeping import forget_events
from apps.kernel.clock import utc_now
from apps.runtime.tasks import shared_task


@shared_task
def deliver_events() -> int:
    """Hand what has been committed since to its consumers."""
    return deliver(utc_now())


@shared_task
def forget_old_events() -> int:
    """Delete events that are older than is kept and handled by all."""
    return forget_events(utc_now())
