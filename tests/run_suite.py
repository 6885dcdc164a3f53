"""``./run test``: starts the servers, runs pytest, stops the servers, and adds up the counts.

Without arguments: everything on MariaDB and Redis, then on SQLite and Celery's filesystem transport what touches the
database and is not marked to show the same on any. With arguments: pytest with these, on MariaDB and Redis, or with
``--sqlite`` on SQLite and files. The whole suite runs with compiled hot paths on MariaDB and from source on SQLite.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType

from apps.runtime import children
from tests import servers

NOTHING_COLLECTED = 5
SQLITE_URL = "sqlite:///var/unused-by-tests.sqlite3"
# What a test commits here need not outlive the machine; tests of what survives a crash start a server of their own.
UNSAFE_AND_QUICK = {
    "innodb-flush-log-at-trx-commit": 0,
    "innodb-flush-method": "nosync",
    "innodb-doublewrite": "OFF",
    "innodb-stats-persistent": "OFF",
}


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def say(line: str) -> None:
    print(line, flush=True)


@contextlib.contextmanager
def database_and_broker(sqlite: bool) -> Iterator[dict[str, str]]:
    """The environment variables that choose the servers, and the servers for as long as the block runs."""
    if sqlite:
        import sqlite3

        say(f"SQLite {sqlite3.sqlite_version}, Celery over the filesystem transport")
        yield {"DATABASE_URL": SQLITE_URL, "BROKER_URL": ""}
        return
    with servers.mariadb(UNSAFE_AND_QUICK) as mariadb, servers.redis() as redis:
        say(f"MariaDB {mariadb.version()}, Redis {redis.version()}")
        yield {"DATABASE_URL": mariadb.url("bss"), "BROKER_URL": redis.url(0)}


def run_pytest(arguments: list[str], *, sqlite: bool, counts: Path | None = None) -> int:
    """One run of pytest with its servers around it; pytest's exit status."""
    folder = tempfile.mkdtemp(prefix="bss-test-")
    try:
        with database_and_broker(sqlite) as choice:
            # Importing the product has set DJANGO_SETTINGS_MODULE to its own settings in this process.
            own = {
                "DJANGO_SETTINGS_MODULE": "tests.settings",
                "BSS_TEST_DIR": folder,
                "PYTHONUNBUFFERED": "1",
            }
            env = {**os.environ, **choice, **own}
            env.pop("PYTEST_XDIST_WORKER", None)
            # Hundreds of processes start; each would compile its imports again.
            env.pop("PYTHONDONTWRITEBYTECODE", None)
            if counts is not None:
                env |= {
                    "BSS_TEST_COUNTS": str(counts),
                    "BSS_HYPOTHESIS_PROFILE": "ci",
                    "BSS_TEST_TEMPLATES": str(counts.parent),
                    # The hot paths compiled on one database and from source on the other: both are what users have.
                    "BSS_NATIVE": "0" if sqlite else "1",
                }
            process = subprocess.Popen(
                [sys.executable, "-m", "pytest", *arguments], env=env, preexec_fn=children.leash()
            )
            try:
                return process.wait()
            except BaseException as reason:
                # The terminal's Ctrl-C reaches pytest by itself; a SIGTERM comes to us alone.
                if not isinstance(reason, KeyboardInterrupt):
                    process.send_signal(signal.SIGINT)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(20)
                process.kill()
                process.wait()
                raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def sqlite_migrated_meanwhile(folder: str) -> Iterator[None]:
    """Takes an SQLite database through the migrations while MariaDB is taken through them by the first test."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.migrated", SQLITE_URL],
        env={**os.environ, "BSS_TEST_TEMPLATES": folder},
        stdin=subprocess.DEVNULL,
        preexec_fn=children.leash(),
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()


def summary(totals: Mapping[str, int]) -> str:
    """``994 passed, 0 failed``, and the other outcomes."""
    others = sorted(set(totals) - {"passed", "failed"})
    counts = [(name, totals.get(name, 0)) for name in ("passed", "failed")]
    counts += [(name, totals[name]) for name in others if totals[name]]
    return ", ".join(f"{number} {name}" for name, number in counts)


def run_everything() -> int:
    parallel = ["-n", str(max(2, min(cores(), 8))), "--dist", "worksteal", "-q", "--durations=20"]
    totals: dict[str, int] = {}
    statuses = []
    with tempfile.TemporaryDirectory() as folder, sqlite_migrated_meanwhile(folder):
        for sqlite, selection in ((False, []), (True, ["-m", "database and not any_database"])):
            counts = Path(folder) / f"counts-{sqlite}.json"
            status = run_pytest([*parallel, *selection], sqlite=sqlite, counts=counts)
            statuses.append(0 if status == NOTHING_COLLECTED and sqlite else status)
            if not counts.exists():
                say(f"pytest ended with status {status} before it had counted")
                return status or 1
            for outcome, number in json.loads(counts.read_text()).items():
                totals[outcome] = totals.get(outcome, 0) + number
    say(summary(totals))
    return next((status for status in statuses if status), 0)


def _stop(signal_number: int, frame: FrameType | None) -> None:
    sys.exit(128 + signal_number)


def main(arguments: list[str]) -> int:
    signal.signal(signal.SIGTERM, _stop)
    try:
        if not arguments:
            return run_everything()
        sqlite = "--sqlite" in arguments
        rest = [argument for argument in arguments if argument not in ("--sqlite", "--mariadb")]
        return run_pytest(rest, sqlite=sqlite)
    except KeyboardInterrupt:
        say("stopped")
        return 130
    except servers.ServerFailed as failure:
        print(f"run: {failure}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
