"""The Django project: settings, Celery, routing, URLs and the commands that span rooms."""

from bss_project.celery import app as celery_app

__all__ = ["celery_app"]
