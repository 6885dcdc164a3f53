"""Charging goes through kills: of the process, and of the database server, under load."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import migrated, python_processes, servers
from tests.charging.hammer import ACCOUNTS, OPENING_MICROS

pytestmark = pytest.mark.mariadb_only

COUNT = 1_500


class Crashing:
    """A database of its own and the processes that charge on it."""

    def __init__(self, server: servers.MariaDb, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.env = {
            **os.environ,
            "DATABASE_URL": server.create_database("bss"),
            "DJANGO_SETTINGS_MODULE": "bss_project.settings",
            "BSS_VAR_DIR": str(folder / "var"),
        }
        migrated.fill(self.env["DATABASE_URL"])
        self.finish("-m", "tests.charging.hammer", "setup")

    def start(self, *arguments: str) -> python_processes.Process:
        return python_processes.start(arguments, env=self.env)

    def finish(self, *arguments: str) -> str:
        process = self.start(*arguments)
        said = process.communicate(timeout=300)[0]
        assert process.returncode == 0, said
        return said

    def hammer(self, log: str) -> python_processes.Process:
        return self.start("-m", "tests.charging.hammer", "run", "load", str(COUNT), str(self.folder / log))

    def answers(self, log: str) -> dict[tuple[str, str], tuple[str, str, str]]:
        path = self.folder / log
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        rows = [line.split() for line in lines if line.endswith("\n")]
        return {(row[0], row[1]): (row[2], row[3], row[4]) for row in rows}

    def wait_for_answers(self, log: str, count: int) -> None:
        deadline = time.monotonic() + 120
        while len(self.answers(log)) < count:
            assert time.monotonic() < deadline, "the load makes no progress"
            time.sleep(0.02)

    def figure(self, sql: str) -> int:
        return int(self.server.execute(sql.replace("charging_", "bss.charging_"))[0][0] or 0)


@pytest.fixture
def crashing(own_mariadb: servers.MariaDb, tmp_path: Path) -> Crashing:
    return Crashing(own_mariadb, tmp_path)


def kill_the_process(crashing: Crashing) -> None:
    process = crashing.hammer("first")
    crashing.wait_for_answers("first", 300)
    process.kill()
    process.wait()


def kill_the_database(crashing: Crashing) -> None:
    process = crashing.hammer("first")
    crashing.wait_for_answers("first", 300)
    crashing.server.kill()
    crashing.server.start()
    said = process.communicate(timeout=300)[0]
    assert process.returncode == 0, said


@pytest.mark.parametrize("crash", [kill_the_process, kill_the_database])
def test_after_a_crash_nothing_is_charged_twice_and_no_answer_was_lost(
    crashing: Crashing, crash: Callable[[Crashing], None]
) -> None:
    crash(crashing)
    assert "the books are right" in crashing.finish("manage.py", "audit")
    before = crashing.answers("first")
    assert len(before) >= 300
    # The gateway repeats everything, as it would with the T flag.
    process = crashing.hammer("again")
    said = process.communicate(timeout=300)[0]
    assert process.returncode == 0, said
    after = crashing.answers("again")
    assert len(after) == COUNT
    for identity, (result, cost, _) in before.items():
        assert after[identity] == (result, cost, "1")
    charged = sum(int(cost) for _, cost, _ in after.values())
    spent = ACCOUNTS * OPENING_MICROS - crashing.figure("SELECT SUM(amount_micros) FROM charging_balance")
    assert spent == charged
    assert crashing.figure("SELECT COUNT(*) FROM charging_storedanswer") == COUNT
    assert crashing.figure("SELECT SUM(reserved_micros) FROM charging_balance") == 0
    assert Counter(result for result, _, _ in after.values())["unable_to_comply"] == 0
    assert "the books are right" in crashing.finish("manage.py", "audit")
