"""The Celery application; one queue a bill cycle, others by domain (``bss_project.routing``)."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bss_project.settings")

app = Celery("bss")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.task_routes = ("bss_project.routing.route",)
app.autodiscover_tasks()
