"""Django's entry for the room."""

from django.apps import AppConfig


class RatingConfig(AppConfig):
    name = "apps.rating"
    label = "rating"
    verbose_name = "Rating"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.rating.domain.tariff_files import FOLDER_TABLES
        from apps.rating.domain.tariff_files.folder_tables import DESTINATIONS
        from apps.rating.selectors.tariff_source import free_destinations
        from apps.rating.services.folder_parts import add_part, add_user
        from apps.rating.services.history import register_consumer
        from apps.rating.services.kept_tables import kept_table

        for name, table in FOLDER_TABLES.items():
            add_part(kept_table(name, table))
        add_user(DESTINATIONS, free_destinations)
        register_consumer()
