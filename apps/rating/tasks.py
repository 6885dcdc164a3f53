"""What beat and events have the room do: publish due drafts, keep the history of the tariff."""

from __future__ import annotations

from apps.kernel.clock import utc_now
from apps.rating.services import drafts
from apps.rating.services.history import write_history
from apps.runtime.tasks import shared_task


@shared_task
def publish_due_drafts() -> int:
    """Publish the tariff drafts whose time has come."""
    return drafts.publish_due_drafts(utc_now())


@shared_task
def write_tariff_history() -> int:
    """Commit the versions that the history lacks."""
    return write_history(utc_now())


@shared_task
def check_tariff_history() -> int:
    """Read all of the history; set it aside if it is damaged, and commit what it lacks."""
    return write_history(utc_now(), thorough=True)
