"""News for operators."""

from __future__ import annotations

from datetime import datetime

from apps.billing.models import Activity, Bill, Notification
from apps.kernel.errors import NotFound

LONGEST = 500


def notify(
    text: str,
    now: datetime,
    *,
    level: str = "info",
    tenant_id: int | None = None,
    activity: Activity | None = None,
    bill: Bill | None = None,
) -> Notification:
    """Leave a piece of news in the caller's transaction; ``level`` is info, warning or error."""
    if len(text) > LONGEST:
        text = text[: LONGEST - 1] + "…"
    return Notification.objects.create(
        tenant_id=tenant_id, at=now, level=level, text=text, activity=activity, bill=bill
    )


def acknowledge(notification_id: int, by: str, now: datetime) -> Notification:
    """A person has seen it. Doing it again keeps the first acknowledgement."""
    Notification.objects.filter(pk=notification_id, acknowledged_at=None).update(
        acknowledged_at=now, acknowledged_by=by
    )
    found = Notification.objects.filter(pk=notification_id).first()
    if found is None:
        raise NotFound(f"there is no notification {notification_id}")
    return found
