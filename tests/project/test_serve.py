"""``./run serve`` as a process: what it starts, what it follows, and that nothing outlives it."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from apps.billing.models import BillCycle
from apps.rating.models import Tenant
from bss_project.serving import address_in_use, ensure_admin
from tests.patience import PATIENCE_S, eventually, lives
from tests.servers import free_port


def descendants(pid: int) -> list[int]:
    found = []
    # A process may end while it is looked at; then it has no descendants any more.
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += [int(child), *descendants(int(child))]
    return found


class Serve:
    """``manage.py serve`` on a test's database."""

    def __init__(self, database_url: str, folder: Path, *arguments: str) -> None:
        self.log_path = folder / "serve.log"
        self.ready_file = folder / "ready"
        self.port = free_port()
        env = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "bss_project.settings",
            "DATABASE_URL": database_url,
            "BSS_VAR_DIR": str(folder / "var"),
        }
        options = ["--no-migrate", "--ready-file", str(self.ready_file), "--bind", f"127.0.0.1:{self.port}"]
        # An operator has not set it either, and still sees every line when it is written.
        env.pop("PYTHONUNBUFFERED", None)
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "serve", *options, *arguments],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def wait_ready(self) -> None:
        def look() -> bool:
            assert self.process.poll() is None, self.log
            return self.ready_file.exists()

        eventually(look)


@pytest.fixture
def serve(database_url: str, tmp_path: Path) -> Iterator[Callable[..., Serve]]:
    started: list[Serve] = []

    def start(*arguments: str) -> Serve:
        started.append(Serve(database_url, tmp_path, *arguments))
        started[-1].wait_ready()
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.wait()


def started_roles(log: str) -> set[str]:
    """In which roles processes have begun (``apps.runtime.start``)."""
    return {line.split("role=")[1].split()[0] for line in log.splitlines() if "process.started" in line}


def cycle(number: int) -> BillCycle:
    tenant, _ = Tenant.objects.get_or_create(name="default")
    return BillCycle.objects.create(number=number, tenant=tenant)


@pytest.mark.any_database
def test_the_admin_answers_while_the_first_password_stays_out_of_the_log(
    serve: Callable[..., Serve], tmp_path: Path
) -> None:
    running = serve("--only", "web")
    with urllib.request.urlopen(f"http://127.0.0.1:{running.port}/admin/login/") as answer:
        assert answer.status == 200
    password = (tmp_path / "var" / "admin_password").read_text().strip()
    assert str(tmp_path / "var" / "admin_password") in running.log
    assert password not in running.log


def test_a_new_bill_cycle_gets_its_worker_and_a_retired_one_loses_it(serve: Callable[..., Serve]) -> None:
    first = cycle(1)
    running = serve("--only", "cycles", "--look-again", "0.2")
    assert started_roles(running.log) == {"supervisor", "worker"}
    assert "bc_1@" in running.log
    assert "bc_2" not in running.log
    cycle(2)
    eventually(lambda: "bc_2@" in running.log)
    eventually(lambda: len(descendants(running.process.pid)) == 2)
    first.retired_at = first.history.latest().history_date
    first.save()
    eventually(lambda: len(descendants(running.process.pid)) == 1)


@pytest.mark.any_database
def test_ctrl_c_stops_everything(serve: Callable[..., Serve]) -> None:
    running = serve("--only", "web,maintenance")
    # Web and its two processes, and the worker.
    eventually(lambda: len(descendants(running.process.pid)) >= 4, "all processes")
    pids = descendants(running.process.pid)
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(PATIENCE_S) == 0
    assert not any(lives(pid) for pid in pids)
    assert not running.ready_file.exists()


@pytest.mark.any_database
def test_nothing_is_left_when_the_supervisor_is_killed(serve: Callable[..., Serve]) -> None:
    running = serve("--only", "web,beat,maintenance", "--concurrency", "2")
    # The web listens, and beat ticks, a little before.
    eventually(lambda: started_roles(running.log) == {"supervisor", "web", "beat", "worker"})
    # Web and its two processes, beat, the worker and its two.
    eventually(lambda: len(descendants(running.process.pid)) >= 7, "all processes")
    pids = descendants(running.process.pid)
    running.process.kill()
    eventually(lambda: not any(lives(pid) for pid in pids))


@pytest.mark.any_database
def test_an_address_in_use_is_said_before_anything_starts(serve: Callable[..., Serve]) -> None:
    running = serve("--only", "web")
    with pytest.raises(CommandError, match="Choose another address with --bind"):
        call_command("serve", "--only", "web", "--bind", f"127.0.0.1:{running.port}")


@pytest.mark.parametrize("options", [(), ("--no-migrate",)])
def test_a_database_that_cannot_be_used_is_said_in_one_line(options: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "broken").write_text("no database at all\n" * 100)
    ended = subprocess.run(
        [sys.executable, "manage.py", "serve", "--bind", f"127.0.0.1:{free_port()}", *options],
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "bss_project.settings",
            "DATABASE_URL": f"sqlite:///{tmp_path / 'broken'}",
            "BSS_VAR_DIR": str(tmp_path / "var"),
        },
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert ended.returncode == 1
    assert "DATABASE_URL names cannot be used: file is not a database" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("bind", ["8000", "127.0.0.1:", "localhost:http", "127.0.0.1:99999", "256.0.0.1:80"])
def test_what_is_no_address_is_refused(bind: str) -> None:
    assert address_in_use(bind)


def test_an_unknown_part_is_refused_with_the_known_ones() -> None:
    with pytest.raises(CommandError, match="unknown part “wep”; there are web, beat"):
        call_command("serve", "--only", "wep")


@pytest.mark.django_db
def test_the_first_admin_is_made_once_and_only_its_owner_can_read_the_password(
    tmp_path: Path, django_user_model: type
) -> None:
    first = ensure_admin(tmp_path)
    path = tmp_path / "admin_password"
    password = path.read_text().strip()
    assert str(path) in first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert ensure_admin(tmp_path) == first
    assert path.read_text().strip() == password
    admin = django_user_model.objects.get(is_superuser=True)
    assert admin.check_password(password)


@pytest.mark.django_db
def test_no_admin_is_made_if_there_is_one_already(tmp_path: Path, django_user_model: type) -> None:
    django_user_model.objects.create_superuser("somebody", "", "their own")
    assert "a superuser of yours" in ensure_admin(tmp_path)
    assert not (tmp_path / "admin_password").exists()
    assert django_user_model.objects.count() == 1
