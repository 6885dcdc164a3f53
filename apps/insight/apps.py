"""Django's entry for the room."""

from django.apps import AppConfig


class InsightConfig(AppConfig):
    name = "apps.insight"
    label = "insight"
    verbose_name = "Statistics"
    default_auto_field = "django.db.models.BigAutoField"
