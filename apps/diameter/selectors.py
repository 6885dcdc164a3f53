"""Reads of the Diameter room."""

from __future__ import annotations

from apps.diameter.credit_control.service_map import DEFAULT_RULES, ServiceMap
from apps.diameter.credit_control.service_map import ServiceRule as Rule
from apps.diameter.models import ServiceRule


def service_map() -> ServiceMap:
    """The configured rules on top of 3GPP's contexts; a configured rule for such a context takes its place."""
    configured = [
        Rule(context, rating_group, service_identifier, service)
        for context, rating_group, service_identifier, service in ServiceRule.objects.values_list(
            "context", "rating_group", "service_identifier", "service__code"
        )
    ]
    taken = {rule[:3] for rule in configured}
    return ServiceMap([*configured, *(rule for rule in DEFAULT_RULES if rule[:3] not in taken)])
