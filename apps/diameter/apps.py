"""The diameter room."""

from __future__ import annotations

from django.apps import AppConfig


class DiameterConfig(AppConfig):
    name = "apps.diameter"
    label = "diameter"
    verbose_name = "Diameter"

    def ready(self) -> None:
        from apps.diameter.services.gateway_events import register_consumer

        register_consumer()
