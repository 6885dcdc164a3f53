"""A tariff that is published anew re-authorises, little by little, sessions with quotas of the old one.

All at once would be a storm; validity brings every session to ask anew in any case, so only those are told whose turn
comes before.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings

from apps.charging.models import ChargingSession
from apps.diameter.models import NewsMark
from apps.diameter.services.orders import order_reauthorisation
from apps.rating.models import TariffVersion

SOURCE = "tariff"
_DONE = "tariff-done"
"""Up to which session's row the version of the mark SOURCE has been told."""


def read_publications(now: datetime) -> int:
    """Order the next portion for the newest tariff; returns how many orders were written.

    Called about once a second by every process. What several of them order is ordered once.
    """
    at_once = settings.DIAMETER_TARIFF_REAUTHORISATIONS_PER_S
    if at_once <= 0:
        return 0
    newest = TariffVersion.objects.order_by("-id").values_list("id", "published_at").first()
    if newest is None:
        return 0
    version_id, published_at = newest
    mark, made = NewsMark.objects.get_or_create(source=SOURCE, defaults={"last_id": version_id})
    if made:
        return 0
    # Every process charges by the new tariff from then on.
    in_force = published_at + timedelta(seconds=settings.RATING_TARIFF_REFRESH_S)
    if now < in_force:
        return 0
    if mark.last_id < version_id:
        NewsMark.objects.filter(source=_DONE).delete()
        NewsMark.objects.filter(source=SOURCE, last_id=mark.last_id).update(last_id=version_id)
        NewsMark.objects.get_or_create(source=_DONE)
    done = NewsMark.objects.filter(source=_DONE).values_list("last_id", flat=True).first()
    if done is None:
        return 0
    sessions = list(
        ChargingSession.objects.filter(
            status=ChargingSession.Status.OPEN, id__gt=done, updated_at__lt=in_force
        )
        .exclude(peer="")
        .order_by("id")[:at_once]
    )
    ordered = sum(
        order_reauthorisation(session, f"{SOURCE}:{version_id}:{session.id}", now) is not None
        for session in sessions
    )
    if len(sessions) < at_once:
        NewsMark.objects.filter(source=_DONE).delete()
    else:
        NewsMark.objects.filter(source=_DONE, last_id__lt=sessions[-1].id).update(last_id=sessions[-1].id)
    return ordered
