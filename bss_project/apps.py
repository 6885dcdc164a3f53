"""The project as a Django application, so that its commands are found."""

from django.apps import AppConfig


class ProjectConfig(AppConfig):
    name = "bss_project"
    verbose_name = "Platform"
