"""Which processes make up the running product. A new door is one more entry here."""

from __future__ import annotations

import secrets
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from apps.licensing.domain.licence import Feature
from apps.runtime.supervisor import ProcessSpec
from bss_project.routing import SHARED_QUEUES
from bss_project.settings.environment import BASE_DIR


@dataclass(frozen=True)
class Serving:
    """What an operator may choose: the web's address, its threads, and processes of a Celery worker."""

    bind: str = "127.0.0.1:8000"
    web_workers: int = 2
    web_threads: int = 4
    concurrency: int = 1
    log_level: str = "INFO"


def celery_command(*arguments: str) -> tuple[str, ...]:
    # As root, in a container or for a first look, Celery would warn of it at every start.
    quiet = ("-W", "ignore:You're running the worker with superuser privileges")
    return (sys.executable, "-u", *quiet, "-m", "celery", "-A", "bss_project.celery", *arguments)


def worker(name: str, queues: Sequence[str], serving: Serving) -> ProcessSpec:
    """A Celery worker on these queues. One task at a time runs in the process itself, more run in children of it."""
    pool = ("--pool", "solo") if serving.concurrency == 1 else ("--concurrency", str(serving.concurrency))
    return ProcessSpec(
        name=name,
        command=celery_command(
            # Quiet: without its banner.
            *("--quiet", "worker", "--queues", ",".join(queues), "--hostname", f"{name}@%h"),
            *("--loglevel", serving.log_level, *pool),
            # Workers do not need to know of each other, and waiting for that slows the start by a second.
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        ),
        cwd=BASE_DIR,
        ready_when=" ready.",
        # A chunk of a bill run or a large file in hand is let finish; killed, it would be done again.
        grace_s=60.0,
    )


def web(serving: Serving) -> ProcessSpec:
    return ProcessSpec(
        name="web",
        command=(
            *(sys.executable, "-u", "-m", "gunicorn", "bss_project.wsgi:application"),
            *(
                "--bind",
                serving.bind,
                "--workers",
                str(serving.web_workers),
                "--threads",
                str(serving.web_threads),
            ),
            *("--worker-tmp-dir", "/dev/shm" if Path("/dev/shm").is_dir() else "/tmp"),
            *("--timeout", "120", "--graceful-timeout", "10", "--no-control-socket"),
        ),
        cwd=BASE_DIR,
        ready_when="Listening at",
    )


def beat(serving: Serving) -> ProcessSpec:
    return ProcessSpec(
        name="beat",
        command=celery_command("beat", "--loglevel", serving.log_level, "--pidfile="),
        cwd=BASE_DIR,
        ready_when="celery beat v",
    )


def diameter(serving: Serving, *arguments: str) -> ProcessSpec:
    """The Gy server; its address and limits are settings (BSS_DIAMETER_…)."""
    return ProcessSpec(
        name="diameter",
        command=(sys.executable, "-u", str(BASE_DIR / "manage.py"), "rundiameter", *arguments),
        cwd=BASE_DIR,
        ready_when="listening at",
        # Requests in flight are answered and peers told first.
        grace_s=20.0,
    )


def grpc(serving: Serving) -> ProcessSpec:
    """The CRM's gRPC server; its address and limits are settings (BSS_GRPC_…)."""
    return ProcessSpec(
        name="grpc",
        command=(sys.executable, "-u", str(BASE_DIR / "manage.py"), "rungrpc"),
        cwd=BASE_DIR,
        ready_when="listening at",
        # Calls in flight are answered first.
        grace_s=40.0,
    )


def cycle_workers(serving: Serving) -> list[ProcessSpec]:
    """A worker for every bill cycle that is in use, on the cycle's own queue; reads the database."""
    from django.db import connection

    from apps.billing.models import BillCycle

    try:
        cycles = list(BillCycle.objects.filter(retired_at=None).order_by("number"))
        if settings.BILLING_CYCLES:
            cycles = [cycle for cycle in cycles if str(cycle.number) in settings.BILLING_CYCLES]
    finally:
        # The supervisor asks every few seconds for weeks: it keeps no connection that the server could drop.
        connection.close()
    return [worker(f"bc_{cycle.number}", [cycle.queue], serving) for cycle in cycles]


Processes = Callable[[Serving], list[ProcessSpec]]

# The names that `serve --only` knows, in the order in which they start.
PARTS: dict[str, Processes] = {
    "web": lambda serving: [web(serving)],
    "beat": lambda serving: [beat(serving)],
    "diameter": lambda serving: [diameter(serving)],
    "grpc": lambda serving: [grpc(serving)],
    "cycles": cycle_workers,
    **{
        queue: lambda serving, queue=queue: [worker(queue, [queue], serving)]  # type: ignore[misc]
        for queue in SHARED_QUEUES
    },
}

MODULES: dict[str, tuple[str, ...]] = {
    "prepaid": ("diameter",),
    "cdr_loader": ("mediation",),
    "billing": ("cycles",),
    "bill_formatter": ("invoicing",),
    "stats": ("maintenance",),
    "crm": ("grpc",),
    "prepaid_mass_rating": ("cycles",),
    "web": ("web",),
    "beat": ("beat",),
}
"""The parts of the modules that a configuration names, µBSS's and our own; one machine at least runs web and beat."""

FEATURES = {
    "diameter": Feature.PREPAID | Feature.DIAMETER,
    "grpc": Feature.CRM,
    "cycles": Feature.BILLING,
}
"""What the licence must include for a part to start."""


def wanted_processes(serving: Serving, parts: Sequence[str] = tuple(PARTS)) -> list[ProcessSpec]:
    """The processes of these parts, as the database says at this moment."""
    return [spec for part in parts for spec in PARTS[part](serving)]


def address_in_use(bind: str) -> str:
    """Why the web cannot listen at ``host:port``; empty if it can."""
    host, _, port = bind.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isdigit():
        return f"“{bind}” is not an address; give host:port, such as 127.0.0.1:8000"
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, int(port)))
    except (OSError, OverflowError) as error:
        return f"the web cannot listen at {bind}: {error}. Choose another address with --bind"
    return ""


def ensure_admin(folder: Path) -> str:
    """Make the first superuser, ``admin``, if there is none at all; how to sign in, as a sentence.

    The password is random and kept in ``folder/admin_password`` (mode 600), never printed or logged.
    """
    from django.contrib.auth import get_user_model

    users = get_user_model().objects
    path = folder / "admin_password"
    if not users.filter(is_superuser=True).exists() and not users.filter(username="admin").exists():
        password = secrets.token_urlsafe(12)
        folder.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.chmod(0o600)
        path.write_text(password + "\n")
        users.create_superuser("admin", "", password)
    if path.exists() and users.filter(username="admin", is_superuser=True).exists():
        return f"sign in as admin with the password in {path}"
    return "sign in as a superuser of yours; ./run manage createsuperuser makes one"
