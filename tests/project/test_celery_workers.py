"""The real workers that journeys and kill tests use, on whichever broker is in use."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings

from bss_project.celery import app
from tests.fixtures.celery_workers import WorkerProcess
from tests.patience import eventually, lives


def waiting(queue: str) -> int:
    """Messages that no worker has taken."""
    if settings.CELERY_BROKER_URL.startswith("redis"):
        import redis

        with redis.Redis.from_url(settings.CELERY_BROKER_URL) as client:
            return int(client.llen(queue))
    folder = Path(settings.CELERY_BROKER_TRANSPORT_OPTIONS["data_folder_in"])
    return len(list(folder.glob(f"*.{queue}.msg")))


def send(queue: str) -> None:
    app.send_task("celery.accumulate", args=[1], queue=queue)


def eventually_empty(queue: str) -> None:
    eventually(lambda: not waiting(queue), f"the draining of {queue}")


def test_a_worker_takes_from_its_own_queues_only(celery_worker_process: Callable[..., WorkerProcess]) -> None:
    send("billing.bc_1")
    send("billing.bc_2")
    assert (waiting("billing.bc_1"), waiting("billing.bc_2")) == (1, 1)
    celery_worker_process(["billing.bc_1"])
    eventually_empty("billing.bc_1")
    assert waiting("billing.bc_2") == 1


def test_a_killed_worker_takes_nothing_and_the_next_one_does(
    celery_worker_process: Callable[..., WorkerProcess],
) -> None:
    first = celery_worker_process(["maintenance"])
    first.kill()
    send("maintenance")
    assert waiting("maintenance") == 1
    celery_worker_process(["maintenance"])
    eventually_empty("maintenance")


def test_a_worker_that_cannot_start_says_why(celery_worker_process: Callable[..., WorkerProcess]) -> None:
    with pytest.raises(AssertionError, match="this product knows sqlite:/// and mysql://"):
        celery_worker_process(["maintenance"], env={"DATABASE_URL": "oracle://x/y"})


def test_a_task_in_a_pool_ends_with_its_killed_worker(
    celery_worker_process: Callable[..., WorkerProcess], tmp_path: Path
) -> None:
    pool = ["--pool", "prefork", "--concurrency", "1", "--include", "tests.project.slow_tasks"]
    worker = celery_worker_process(["maintenance"], arguments=pool)
    pid_file = tmp_path / "pid"
    app.send_task("tests.work_for_ever", args=[str(pid_file)], queue="maintenance")
    eventually(lambda: pid_file.exists() and pid_file.read_text())
    pid = int(pid_file.read_text())
    assert pid != worker.pid
    os.kill(worker.pid, signal.SIGKILL)
    eventually(lambda: not lives(pid))


def test_a_pools_process_whose_worker_died_while_it_was_forked_ends_at_once() -> None:
    orphan = """
import os
from bss_project import celery
celery._remember_the_worker()
reader, writer = os.pipe()
if os.fork() == 0:
    if os.fork() == 0:
        os.close(reader)
        celery._end_with_the_worker()
        os.write(writer, b"works on without a worker")
    os._exit(0)
os.close(writer)
os.wait()
print(os.read(reader, 100).decode() or "ended")
"""
    done = subprocess.run([sys.executable, "-c", orphan], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "ended"
