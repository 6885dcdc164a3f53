"""The crmapi room: the CRM over gRPC, and REST for everybody else."""

from __future__ import annotations

from django.apps import AppConfig


class CrmApiConfig(AppConfig):
    name = "apps.crmapi"
    label = "crmapi"
    verbose_name = "CRM and REST"
