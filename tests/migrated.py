"""Databases as the migrations make them: migrated from nothing once, then copied.

``fill(url)`` makes an empty database such a one. What is copied lies in ``var/test-templates`` under the fingerprint of
everything that it follows from, or in the folder that BSS_TEST_TEMPLATES names: the whole suite names a new one, and
so goes through the real migrations once on each database. ``python -m tests.migrated URL`` makes it in advance.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from apps.runtime import children

ROOT = Path(__file__).resolve().parent.parent
SOURCES = (
    "apps/*/migrations/*.py",
    "apps/*/models.py",
    "apps/*/models/*.py",
    "apps/*/apps.py",
    "bss_project/apps.py",
    "bss_project/settings/base.py",
    "requirements-dev.lock",
    "tests/migrated.py",
)
# As settings/database.py asks for.
CHARACTERS = "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"


def fill(url: str) -> None:
    """Make the empty database at this DATABASE_URL what the migrations would make of it."""
    if is_sqlite(url):
        with template(url) as path:
            shutil.copyfile(path, sqlite_path(url))
        return
    with template(url) as path:
        statements = json.loads(path.read_text())
    with cursor_of(url) as cursor:
        for statement in statements:
            cursor.execute(statement)


@contextlib.contextmanager
def template(url: str) -> Iterator[Path]:
    """What is copied: an SQLite database, or a JSON list of the statements that make a database on MariaDB."""
    folder = Path(os.environ.get("BSS_TEST_TEMPLATES") or ROOT / "var" / "test-templates")
    folder.mkdir(parents=True, exist_ok=True)
    kind = "sqlite3" if is_sqlite(url) else f"mariadb-{_version(url)}"
    # The first process makes the template, and the others wait for it.
    with (folder / f"{kind}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        path = folder / f"{kind}-{fingerprint()}"
        if not path.exists():
            for former in folder.glob(f"{kind}-*"):
                former.unlink()
            _make(path, url)
        yield path


def migrate(url: str) -> None:
    """Take an empty database through all migrations, as an operator does."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "manage.py", "migrate", "--run-syncdb", "--verbosity", "0"],
            cwd=ROOT,
            env={
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "bss_project.settings",
                "DATABASE_URL": url,
                "BSS_VAR_DIR": folder,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            preexec_fn=children.leash(),
        )
    if done.returncode != 0:
        raise RuntimeError(f"the migrations failed:\n{done.stdout}")


def content(url: str) -> list[str]:
    """The statements that make what a database holds of an empty one.

    It knows tables and their rows; a view, trigger or routine is an error, so that none is left out silently.
    """
    return _sqlite_content(sqlite_path(url)) if is_sqlite(url) else _mariadb_content(url)


@contextlib.contextmanager
def new_database(url: str, name: str) -> Iterator[str]:
    """An empty database beside the one at ``url``, for as long as the block runs; its DATABASE_URL."""
    if is_sqlite(url):
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{folder}/{name}.sqlite3"
        return
    with cursor_of(url, database=False) as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS `{name}`")
        cursor.execute(f"CREATE DATABASE `{name}` {CHARACTERS}")
        try:
            yield urlsplit(url)._replace(path=f"/{name}").geturl()
        finally:
            cursor.execute(f"DROP DATABASE `{name}`")


@functools.cache
def fingerprint() -> str:
    """Changes with everything that the migrations, and data made after them, could depend on."""
    found = hashlib.sha256(sys.version.encode())
    for path in sorted(path for pattern in SOURCES for path in ROOT.glob(pattern)):
        found.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return found.hexdigest()[:24]


def is_sqlite(url: str) -> bool:
    return url.startswith("sqlite:")


def sqlite_path(url: str) -> Path:
    return ROOT / unquote(urlsplit(url).path[1:])


@contextlib.contextmanager
def cursor_of(url: str, *, database: bool = True) -> Iterator[Any]:
    """A cursor on the MariaDB at ``url`` that looks at no foreign key; every statement is a transaction."""
    import MySQLdb

    parts = urlsplit(url)
    connection = MySQLdb.connect(
        host=parts.hostname,
        port=parts.port or 3306,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        database=parts.path.lstrip("/") if database else "",
        charset="utf8mb4",
        autocommit=True,
    )
    with contextlib.closing(connection), connection.cursor() as cursor:
        cursor.execute("SET foreign_key_checks = 0, unique_checks = 0, sql_mode = 'NO_AUTO_VALUE_ON_ZERO'")
        yield cursor


def _make(path: Path, url: str) -> None:
    with new_database(url, f"bss_template_{os.getpid()}") as empty:
        migrate(empty)
        # Under its name only when it is whole.
        unfinished = path.with_name(f".{path.name}")
        if is_sqlite(url):
            shutil.copyfile(sqlite_path(empty), unfinished)
        else:
            unfinished.write_text(json.dumps(content(empty)))
        unfinished.rename(path)


def _version(url: str) -> str:
    with cursor_of(url, database=False) as cursor:
        cursor.execute("SELECT VERSION()")
        return str(cursor.fetchone()[0])


def _mariadb_content(url: str) -> list[str]:
    with cursor_of(url) as cursor:

        def rows(sql: str) -> list[tuple[Any, ...]]:
            cursor.execute(sql)
            return list(cursor.fetchall())

        others = [
            *rows("SELECT routine_name FROM information_schema.routines WHERE routine_schema = DATABASE()"),
            *rows("SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = DATABASE()"),
            *rows("SELECT table_name FROM information_schema.views WHERE table_schema = DATABASE()"),
        ]
        if others:
            raise AssertionError(
                f"the migrations make {others[0][0]}, which is no table: tests/migrated.py would not copy it"
            )
        statements = []
        for (table,) in rows("SHOW TABLES"):
            statements.append(rows(f"SHOW CREATE TABLE `{table}`")[0][1])
            found = rows(f"SELECT * FROM `{table}` ORDER BY 1")
            if found:
                values = ", ".join(
                    f"({', '.join(cursor.connection.literal(value).decode() for value in row)})"
                    for row in found
                )
                statements.append(f"INSERT INTO `{table}` VALUES {values}")
        return statements


def _sqlite_content(path: Path) -> list[str]:
    import sqlite3

    with contextlib.closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


if __name__ == "__main__":
    with template(sys.argv[1]):
        pass
