"""Django's entry for the room."""

from django.apps import AppConfig


class MediationConfig(AppConfig):
    name = "apps.mediation"
    label = "mediation"
    verbose_name = "Mediation"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.mediation.services.derived_settings import register

        register()
