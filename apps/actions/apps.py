"""Django's entry for the room."""

from django.apps import AppConfig


class ActionsConfig(AppConfig):
    name = "apps.actions"
    label = "actions"
    verbose_name = "Actions"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.actions.services import errands, firings, folder

        errands.register()
        firings.register()
        folder.register()
