"""Django's entry for the room."""

from django.apps import AppConfig


class ReratingConfig(AppConfig):
    name = "apps.rerating"
    label = "rerating"
    verbose_name = "Re-rating"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.rerating.services import notices, proofs

        notices.register_consumer()
        proofs.register()
