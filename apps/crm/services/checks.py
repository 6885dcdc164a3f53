"""System checks of the room."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, register
from django.core.checks import Warning as CheckWarning


@register()
def rates_hold_across_processes(**_: Any) -> list[CheckMessage]:
    """Several processes of a server, and no Redis in which they could count together."""
    if settings.GRPC_PROCESSES > 1 and not settings.API_RATES_URL:
        return [
            CheckWarning(
                f"Each of the {settings.GRPC_PROCESSES} gRPC processes counts calls by itself: a client may call as "
                "many times more often as there are processes.",
                hint="Set BSS_API_RATES_URL, or BROKER_URL, to a Redis (redis://host:port/0).",
                id="crm.W001",
            )
        ]
    return []
