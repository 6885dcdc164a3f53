"""Django's entry for the room."""

from django.apps import AppConfig


class BillingConfig(AppConfig):
    name = "apps.billing"
    label = "billing"
    verbose_name = "Billing"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.billing.services import draft_notices, last_bills, trigger_notices

        last_bills.register()
        trigger_notices.register_consumer()
        draft_notices.register_consumer()
