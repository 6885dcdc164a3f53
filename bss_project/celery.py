"""The Celery application; one queue a bill cycle, others by domain (``bss_project.routing``)."""

import os
import time
from typing import Any

from celery import Celery, Task
from celery.signals import beat_init, task_postrun, task_prerun, worker_init, worker_process_init

from apps.licensing.domain.errors import LicenceError
from apps.licensing.domain.licence import Feature
from apps.licensing.services import gate
from apps.runtime import metrics
from apps.runtime.children import die_with
from apps.runtime.start import Role, start

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bss_project.settings")

FEATURE_OF_ROOM = {
    "mediation": Feature.CDR_LOADER,
    "billing": Feature.BILLING,
    "invoicing": Feature.BILL_FMT,
    "insight": Feature.STATS,
}


class LicensedTask(Task):  # type: ignore[type-arg]
    """A task of a module that the licence does not include is refused before it does anything.

    Rows say what is due, so what was refused is done once there is a licence.
    """

    abstract = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        room = self.name.split(".")[1] if self.name.startswith("apps.") else ""
        gate.require(FEATURE_OF_ROOM.get(room, Feature(0)))
        return super().__call__(*args, **kwargs)


app = Celery("bss", task_cls=LicensedTask)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.task_routes = ("bss_project.routing.route",)
app.autodiscover_tasks()

_worker_pid = 0


@worker_init.connect
def _remember_the_worker(**_: object) -> None:
    global _worker_pid
    _worker_pid = os.getpid()


TASK_SECONDS = metrics.histogram("task_seconds", "How long tasks ran.", ("task", "state"))
_begun: dict[str, float] = {}


@task_prerun.connect
def _note_the_begin(task_id: str, **_: object) -> None:
    if metrics.is_on():
        _begun[task_id] = time.perf_counter()


@task_postrun.connect
def _measure(task_id: str, task: Task, state: str | None = None, **_: object) -> None:  # type: ignore[type-arg]
    if (begun := _begun.pop(task_id, None)) is not None:
        TASK_SECONDS.labels(task.name, state or "").observe(time.perf_counter() - begun)


def _start_licensed(role: Role) -> None:
    try:
        start(role)
    except LicenceError as error:
        # Celery would log any other exception of a signal's handler and go on.
        raise SystemExit(error.exit_code) from error


@worker_init.connect
def _begin_worker(**_: object) -> None:
    _start_licensed(Role.WORKER)


@beat_init.connect
def _begin_beat(**_: object) -> None:
    _start_licensed(Role.BEAT)


@worker_process_init.connect
def _end_with_the_worker(**_: object) -> None:
    """Celery lets a pool's process be killed with its worker, but forgets one whose worker died while it was forked."""
    if os.getpid() != _worker_pid:
        die_with(_worker_pid)
