"""Django's entry for the room."""

from django.apps import AppConfig


class ChargingConfig(AppConfig):
    name = "apps.charging"
    label = "charging"
    verbose_name = "Charging"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.charging.services import closing, shared_groups, trigger_folder

        closing.register()
        shared_groups.register()
        trigger_folder.register()
