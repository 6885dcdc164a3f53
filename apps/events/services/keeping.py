"""Delete events that all consumers have handled."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q

from apps.events.models import Event, Mark, StuckEvent
from apps.events.services.consuming import CONSUMERS
from apps.events.services.relay import RELAY

AT_ONCE = 5_000


def forget_events(now: datetime) -> int:
    """Delete events older than is kept that no consumer still has to handle; how many.

    A consumer that is not known here holds nothing back, nor one whose own process has not run for so long. What is
    known of it is deleted once it has been idle for so long: until then it may be one of a newer version.
    """
    before = now - timedelta(days=settings.EVENTS_KEPT_DAYS)
    Mark.objects.exclude(pk__in=[RELAY, *CONSUMERS]).filter(Q(at=None) | Q(at__lt=before)).delete()
    known = [*CONSUMERS, *Mark.objects.values_list("name", flat=True)]
    StuckEvent.objects.exclude(consumer__in=known).delete()
    reached = dict(Mark.objects.values_list("name", "number"))
    handled = min(
        (reached.get(name, 0) for name, consumer in CONSUMERS.items() if not consumer.by_itself),
        default=reached.get(RELAY, 0),
    )
    old = Event.objects.filter(number__lte=handled, at__lt=before)
    # A stuck event is still to be handled.
    old = old.exclude(pk__in=StuckEvent.objects.values("event_id")).order_by("number")
    deleted = 0
    while ids := list(old.values_list("pk", flat=True)[:AT_ONCE]):
        deleted += Event.objects.filter(pk__in=ids).delete()[0]
    return deleted
