"""Backups: made while writers write, restored into an empty server, proved by audit and by a session that goes on."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from apps.charging.domain.requests import Operation, RequestItem, Units
from apps.charging.models import Account
from bss_project.settings.environment import BASE_DIR
from tests.charging.stored import charge_now, make_prepaid, order, request

GO_ON = """
import django
django.setup()
from apps.charging.domain.requests import Operation, RequestItem, Units, UsedUnits
from apps.charging.models import Balance, ChargingSession
from tests.charging.stored import assert_books_are_right, charge_now, request
assert ChargingSession.objects.filter(status="open").count() == 1
used = RequestItem("voice", "4930123", None, (UsedUnits(Units(time_s=60)),))
answer = charge_now(request(Operation.TERMINATE, used, number=1))
assert answer.result.value == "success", answer
assert_books_are_right()
print(Balance.objects.get(tag="*default", account__number="C1").amount_micros)
"""


@pytest.fixture
def restored_url(database_url: str, tmp_path: Path) -> Iterator[str]:
    """The URL of a database that does not exist yet, on the same server, or of a new file."""
    if connection.vendor == "sqlite":
        yield f"sqlite:///{tmp_path}/restored.sqlite3"
        return
    name = f"{connection.settings_dict['NAME']}_restored"
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {name}")
        cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
    yield f"{database_url.rpartition('/')[0]}/{name}"
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {name}")


@pytest.fixture
def backed_up(tmp_path: Path, settings: Any) -> Callable[[], Path]:
    """Makes a backup of this test's installation, with one document and a voucher key; returns its folder."""
    settings.INVOICES_DIR = tmp_path / "invoices"
    settings.VOUCHER_KEY_FILE = tmp_path / "voucher_keys"
    settings.VOUCHER_KEY_FILE.write_text("a key")
    (settings.INVOICES_DIR / "2026").mkdir(parents=True)
    (settings.INVOICES_DIR / "2026" / "1.pdf").write_bytes(b"%PDF a bill")

    def make() -> Path:
        call_command("backup", str(tmp_path / "backups"))
        (found,) = (tmp_path / "backups").iterdir()
        return found

    return make


def elsewhere(tmp_path: Path, url: str, *command: str) -> subprocess.CompletedProcess[str]:
    """Run this on the machine that a backup is restored on."""
    env = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "bss_project.settings",
        "DATABASE_URL": url,
        "BSS_VAR_DIR": str(tmp_path / "elsewhere"),
        "BROKER_URL": "",
    }
    return subprocess.run(
        [sys.executable, *command], env=env, cwd=BASE_DIR, capture_output=True, text=True, timeout=120
    )


def restore(tmp_path: Path, url: str, backup: Path) -> subprocess.CompletedProcess[str]:
    return elsewhere(tmp_path, url, "manage.py", "restore", str(backup))


def test_what_is_restored_passes_the_audit_and_goes_on_with_open_sessions(
    backed_up: Callable[[], Path], restored_url: str, tmp_path: Path
) -> None:
    make_prepaid(1)
    make_prepaid(2)
    charge_now(request(Operation.INITIATE, RequestItem("voice", "4930123", Units(time_s=120))))
    ended = threading.Event()

    def write() -> None:
        step = 0
        while not ended.is_set():
            step += 1
            charge_now(request(Operation.TOP_UP, of=2, session=f"o{step}", order=order(1_000, 2)))
        connection.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        backup = backed_up()
    finally:
        ended.set()
        writer.join()

    done = restore(tmp_path, restored_url, backup)
    assert done.returncode == 0, done.stderr
    assert "the books are right" in done.stdout
    # Time went by; beat will release what is silent.
    assert "session s: it should have ended" in done.stdout
    assert (tmp_path / "elsewhere" / "invoices" / "2026" / "1.pdf").read_bytes() == b"%PDF a bill"
    assert (tmp_path / "elsewhere" / "voucher_keys").read_text() == "a key"
    gone_on = elsewhere(tmp_path, restored_url, "-c", GO_ON)
    assert gone_on.returncode == 0, gone_on.stderr
    assert gone_on.stdout.strip() == "940000"

    again = restore(tmp_path, restored_url, backup)
    assert again.returncode == 1
    assert "the database is not empty" in again.stderr


def test_a_backup_that_was_changed_or_did_not_end_is_refused(
    backed_up: Callable[[], Path], restored_url: str, tmp_path: Path
) -> None:
    Account.objects.count()
    backup = backed_up()
    call_command("backup", "--check", str(backup))
    database = next(backup.glob("database.*"))
    whole = database.read_bytes()
    database.write_bytes(whole[:-1])
    done = restore(tmp_path, restored_url, backup)
    assert (done.returncode, f"{database}: it is missing or was changed since" in done.stderr) == (1, True)
    database.write_bytes(whole)
    (backup / "manifest.json").unlink()
    with pytest.raises(CommandError, match="no backup that was finished"):
        call_command("backup", "--check", str(backup))


def test_a_file_that_is_another_one_is_not_written_over(
    backed_up: Callable[[], Path], restored_url: str, tmp_path: Path
) -> None:
    backup = backed_up()
    mine = tmp_path / "elsewhere" / "invoices" / "2026" / "1.pdf"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"another bill")
    done = restore(tmp_path, restored_url, backup)
    assert (done.returncode, "1.pdf exists and is another one" in done.stderr) == (1, True)
    assert mine.read_bytes() == b"another bill"


@pytest.mark.mariadb_only
def test_the_password_is_not_in_the_backup(backed_up: Callable[[], Path], database_url: str) -> None:
    backup = backed_up()
    manifest = json.loads((backup / "manifest.json").read_text())
    assert set(manifest) == {"made_at", "vendor", "database", "migrations", "files"}
    password = connection.settings_dict["PASSWORD"]
    with gzip.open(backup / manifest["database"], "rt", errors="replace") as dump:
        assert not password or password not in dump.read()
