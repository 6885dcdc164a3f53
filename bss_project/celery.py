"""The Celery application; one queue a bill cycle, others by domain (``bss_project.routing``)."""

import os

from celery import Celery
from celery.signals import beat_init, worker_init, worker_process_init

from apps.runtime.children import die_with
from apps.runtime.start import Role, start

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bss_project.settings")

app = Celery("bss")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.task_routes = ("bss_project.routing.route",)
app.autodiscover_tasks()

_worker_pid = 0


@worker_init.connect
def _remember_the_worker(**_: object) -> None:
    global _worker_pid
    _worker_pid = os.getpid()


@worker_init.connect
def _begin_worker(**_: object) -> None:
    start(Role.WORKER)


@beat_init.connect
def _begin_beat(**_: object) -> None:
    start(Role.BEAT)


@worker_process_init.connect
def _end_with_the_worker(**_: object) -> None:
    """Celery lets a pool's process be killed with its worker, but forgets one whose worker died while it was forked."""
    if os.getpid() != _worker_pid:
        die_with(_worker_pid)
