"""The crm room: who may call from outside, what a call leaves behind, and the use cases that the doors offer."""

from __future__ import annotations

from django.apps import AppConfig


class CrmConfig(AppConfig):
    name = "apps.crm"
    label = "crm"
    verbose_name = "CRM"

    def ready(self) -> None:
        from apps.backoffice import tenancy
        from apps.crm.services import checks  # noqa: F401 - registers them
        from apps.crm.services.staff import tenants_of_staff

        tenancy.ask(tenants_of_staff)
