"""Real processes and the licence: exit codes, the clock turned back, the end while running, SIGHUP."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from apps.licensing.domain.licence import ALL_FEATURES, Feature
from apps.licensing.services import gate
from bss_project.settings.environment import BASE_DIR
from tests.patience import eventually


class Machine:
    """An installation of its own in a folder, with a vendor's key."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "bss_project.settings",
            "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3",
            "BROKER_URL": f"filesystem://{folder}/broker",
            "BSS_VAR_DIR": str(folder / "var"),
            "BSS_LICENSE_FILE": str(folder / "platform.lic"),
            "BSS_LICENSE_STATE": str(folder / "state" / ".lkgt"),
            "BSS_LICENSE_LOOK_AGAIN_S": "3600",
            "BSS_LICENSE_CLOCK_TOLERANCE_S": "3600",
            "BSS_LOG_LEVEL": "INFO",
        }
        self.env["BSS_LICENSE_PUBLIC_KEY"] = self(
            "license", "keygen", str(folder / "vendor.key")
        ).stdout.strip()

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, str(BASE_DIR / "manage.py"), *arguments]

    def __call__(self, *arguments: str, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*before, *self.command(*arguments)], env=self.env, capture_output=True, text=True, timeout=120
        )

    def issue(self, days: int = 40, features: str = "all") -> None:
        until = datetime.now(UTC) + timedelta(days=days)
        machine = self("license", "machine").stdout.strip()
        done = self(
            *("license", "issue", "--key", str(self.folder / "vendor.key"), "--machine", machine),
            *("--until", f"{until:%Y-%m-%d}", "--features", features, "--out", self.env["BSS_LICENSE_FILE"]),
        )
        assert done.returncode == 0, done.stderr


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_licence_is_issued_shown_and_verified(machine: Machine) -> None:
    assert machine("license", "verify").returncode == 20
    machine.issue(features="billing,crm")
    shown = machine("license", "show").stdout
    assert "modules  BILLING, CRM" in shown
    assert "verdict  holds, 39 days left" in shown
    assert machine("license", "verify").returncode == 0
    loader = machine("loadcdrs")
    assert loader.returncode == 31
    assert "does not include CDR_LOADER" in loader.stderr
    machine.issue(days=0)
    ended = machine("executebilling", "1")
    assert ended.returncode == 27
    assert "it ended when" in ended.stderr


def test_a_clock_that_is_turned_back_stops_everything(machine: Machine) -> None:
    machine.issue()
    assert machine("license", "verify").returncode == 0
    back = machine("license", "verify", before=("faketime", "-f", "-2d"))
    assert back.returncode == 28, back.stderr
    assert "set it right" in back.stderr
    assert machine("license", "verify").returncode == 0


def test_a_licence_of_another_machine_does_not_start_a_server(machine: Machine) -> None:
    done = machine(
        *("license", "issue", "--key", str(machine.folder / "vendor.key"), "--machine", "f" * 32),
        *("--until", "2099-01-01", "--out", machine.env["BSS_LICENSE_FILE"]),
    )
    assert done.returncode == 0
    refused = machine("rundiameter", "--port", "0")
    assert refused.returncode == 26
    assert "f" * 32 in refused.stderr
    assert machine("serve", "--no-migrate").returncode == 26
    worker = subprocess.run(
        [
            sys.executable,
            "-m",
            "celery",
            "-A",
            "bss_project.celery",
            "worker",
            "--pool",
            "solo",
            "--queues",
            "none",
        ],
        env=machine.env,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=BASE_DIR,
    )
    assert worker.returncode == 26


@pytest.fixture
def serving(machine: Machine) -> Callable[[], tuple[subprocess.Popen[bytes], Path]]:
    """A Gy server of this machine, listening, and its log."""

    def start() -> tuple[subprocess.Popen[bytes], Path]:
        assert machine("migrate", "--verbosity", "0").returncode == 0
        log = machine.folder / "gy.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                machine.command("rundiameter", "--port", "0"), env=machine.env, stdout=file, stderr=file
            )
        eventually(lambda: "listening at" in log.read_text())
        return process, log

    return start


def test_a_server_reads_a_new_licence_on_sighup_and_drains_when_it_does_not_hold(
    machine: Machine, serving: Callable[[], tuple[subprocess.Popen[bytes], Path]]
) -> None:
    machine.issue()
    process, log = serving()
    try:
        machine.issue(days=50)
        process.send_signal(signal.SIGHUP)
        eventually(lambda: "licence.read_again" in log.read_text())
        assert process.poll() is None
        Path(machine.env["BSS_LICENSE_FILE"]).write_text("cut off")
        process.send_signal(signal.SIGHUP)
        assert process.wait(30) == 21
        assert "licence.refused" in log.read_text()
    finally:
        process.kill()
        process.wait()


def test_a_task_of_a_module_without_licence_is_refused_before_it_does_anything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from apps.licensing.domain.errors import NotLicensed
    from apps.mediation.tasks import load_new_files

    found = gate.verdict().licence
    assert found is not None
    bare = gate.Verdict(found._replace(feature_mask=int(ALL_FEATURES & ~Feature.CDR_LOADER)), None)
    monkeypatch.setattr(gate._gate, "verdict", lambda: bare)
    with pytest.raises(NotLicensed, match="CDR_LOADER"):
        load_new_files()
    with pytest.raises(CommandError) as refused:
        call_command("loadcdrs")
    assert refused.value.returncode == 31
