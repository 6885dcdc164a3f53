"""The diameter room."""

from __future__ import annotations

from django.apps import AppConfig


class DiameterConfig(AppConfig):
    name = "apps.diameter"
    label = "diameter"
    verbose_name = "Diameter"
