"""Reads of the subscribers room."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime

from django.db.models import Q

from apps.subscribers.models import Resource, ResourceAssignment

IDS_A_QUERY = 5_000


def in_portions(values: Collection[str] | Collection[int], size: int = IDS_A_QUERY) -> Iterator[list]:
    """``values`` in ascending order, a bounded list at a time: one query's worth of parameters."""
    ordered = sorted(values)
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]


def msisdn_holdings(
    msisdns: Collection[str], first: datetime, last: datetime
) -> list[tuple[str, int, datetime, datetime | None]]:
    """(MSISDN, subscriber id, start, end) of every assignment that holds an instant of ``[first, last]``."""
    found: list[tuple[str, int, datetime, datetime | None]] = []
    for portion in in_portions(msisdns):
        found.extend(
            ResourceAssignment.objects.filter(
                Q(end__isnull=True) | Q(end__gt=first),
                resource__kind=Resource.Kind.MSISDN,
                resource__value__in=portion,
                start__lte=last,
            ).values_list("resource__value", "subscriber_id", "start", "end")
        )
    return found
