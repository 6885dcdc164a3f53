"""The crmapi room: the doors through which programs reach the product, gRPC and REST."""

from __future__ import annotations

from django.apps import AppConfig


class CrmApiConfig(AppConfig):
    name = "apps.crmapi"
    label = "crmapi"
    verbose_name = "gRPC and REST"
