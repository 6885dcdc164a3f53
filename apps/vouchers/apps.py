"""Django's entry for the room."""

from django.apps import AppConfig


class VouchersConfig(AppConfig):
    name = "apps.vouchers"
    label = "vouchers"
    verbose_name = "Vouchers"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.vouchers.services.audit import register

        register()
