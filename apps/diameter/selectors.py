"""Reads of the Diameter room."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q

from apps.diameter.credit_control.service_map import DEFAULT_RULES, ServiceMap
from apps.diameter.credit_control.service_map import ServiceRule as Rule
from apps.diameter.models import ServiceRule
from apps.subscribers.models import Resource, ResourceAssignment


def service_map() -> ServiceMap:
    """The configured rules on top of 3GPP's contexts; a configured rule for such a context takes its place."""
    configured = [
        Rule._make(row)
        for row in ServiceRule.objects.values_list(
            "context", "rating_group", "service_identifier", "service__code", "charging_mode"
        )
    ]
    taken = {rule[:3] for rule in configured}
    return ServiceMap([*configured, *(rule for rule in DEFAULT_RULES if rule[:3] not in taken)])


def some_parties(count: int, now: datetime) -> list[str]:
    """MSISDNs of up to ``count`` subscribers that have one now, in the order of the numbers."""
    return list(
        ResourceAssignment.objects.filter(
            Q(end__isnull=True) | Q(end__gt=now), resource__kind=Resource.Kind.MSISDN, start__lte=now
        )
        .order_by("resource__value")
        .values_list("resource__value", flat=True)[:count]
    )
