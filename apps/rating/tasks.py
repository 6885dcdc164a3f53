"""What beat has the room do."""

from __future__ import annotations

from apps.kernel.clock import utc_now
from apps.rating.services import drafts
from apps.runtime.tasks import shared_task


@shared_task
def publish_due_drafts() -> int:
    """Publish the tariff drafts whose time has come."""
    return drafts.publish_due_drafts(utc_now())
