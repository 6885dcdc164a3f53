"""MariaDB and Redis of our own, on free loopback ports and in temporary folders; for tests and benchmarks.

``with mariadb() as server: server.url("bss")`` and ``with redis() as server: server.url(0)``. A server is stopped
by its process id and its folder removed when the block is left, also by an exception; should the whole process
be killed, Linux takes the servers down with it. ``kill()`` and ``start()`` are for tests of what survives a crash.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from apps.runtime import children

START_TIMEOUT_S = 60


class ServerFailed(Exception):
    """A server could not be started; carries the end of its log."""


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def find_program(*names: str) -> str:
    """The first of these programs that exists; Debian keeps servers in /usr/sbin, outside a user's PATH."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    for name in names:
        found = shutil.which(name, path=path)
        if found:
            return found
    raise ServerFailed(f"{' or '.join(names)} was not found; ./run test installs it (as root)")


class Server(ABC):
    """A server process in a folder of its own. Sub-classes say how to start it and when it answers."""

    name = "server"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """What starts the server, with its arguments."""

    @abstractmethod
    def probe(self) -> None:
        """Talk to the server once; raises when it does not answer yet."""

    @property
    def log_path(self) -> Path:
        return self.folder / f"{self.name}.log"

    @property
    def pid(self) -> int:
        assert self.process is not None, f"{self.name} is not running"
        return self.process.pid

    def start(self) -> None:
        """Start and wait until it answers. A second start uses the same data and, where possible, the same port."""
        for _ in range(3):
            # Between finding a port and listening on it another program may take it; then another one is tried.
            self.port = self.port or free_port()
            with self.log_path.open("ab") as log:
                self.process = children.spawn(self.command(), output=log)
            if self._wait_ready():
                return
            self.stop()
            if b"ddress already in use" not in self.log_path.read_bytes():
                break
            self.port = 0
        raise ServerFailed(f"{self.name} did not start; the end of its log:\n{self.log_tail()}")

    def _wait_ready(self) -> bool:
        assert self.process is not None
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                self.probe()
            except Exception:
                time.sleep(0.05)
            else:
                return True
        return False

    def kill(self) -> None:
        """SIGKILL, as a power cut does; ``start()`` brings it back with what it had committed."""
        if self.process is not None:
            children.kill(self.process)
            self.process = None

    def stop(self) -> None:
        """SIGTERM, then SIGKILL if that does not help."""
        if self.process is not None:
            children.stop(self.process, grace_s=20)
            self.process = None

    def log_tail(self, lines: int = 30) -> str:
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])


class MariaDb(Server):
    """A MariaDB server with the root account open on loopback; ``options`` are its variables."""

    name = "mariadb"

    def __init__(self, folder: Path, options: Mapping[str, str | int] | None = None) -> None:
        super().__init__(folder)
        self.options = dict(options or {})

    def install(self) -> None:
        """Make the system tables."""
        done = subprocess.run(
            [
                find_program("mariadb-install-db", "mysql_install_db"),
                "--no-defaults",
                "--force",
                "--skip-name-resolve",
                "--skip-test-db",
                "--auth-root-authentication-method=normal",
                f"--datadir={self.folder / 'data'}",
                f"--tmpdir={self.folder}",
                *self._user_option(),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise ServerFailed(f"mariadb-install-db failed:\n{done.stdout[-3000:]}")

    @staticmethod
    def _user_option() -> list[str]:
        return ["--user=root"] if os.geteuid() == 0 else []

    def command(self) -> list[str]:
        options: dict[str, str | int] = {
            "datadir": str(self.folder / "data"),
            # A server that starts removes temporary tables from its folder, another server's in /tmp as well.
            "tmpdir": str(self.folder),
            "socket": str(self.folder / "s"),
            "pid-file": str(self.folder / "mariadb.pid"),
            "port": self.port,
            "bind-address": "127.0.0.1",
            "character-set-server": "utf8mb4",
            "collation-server": "utf8mb4_bin",
            "local-infile": 1,
            "max-connections": 300,
            "innodb-flush-log-at-trx-commit": 1,
            "innodb-buffer-pool-size": "256M",
            "innodb-log-file-size": "256M",
            "tmp-memory-table-size": "64M",
            "max-heap-table-size": "64M",
            "performance-schema": "OFF",
            **self.options,
        }
        return [
            find_program("mariadbd", "mysqld"),
            "--no-defaults",
            "--skip-name-resolve",
            "--skip-log-bin",
            *self._user_option(),
            *(f"--{name}={value}" for name, value in options.items()),
        ]

    def connect(self, database: str = "") -> Any:
        """A raw connection (mysqlclient), autocommit on."""
        import MySQLdb

        return MySQLdb.connect(
            host="127.0.0.1",
            port=self.port,
            user="root",
            database=database,
            connect_timeout=5,
            autocommit=True,
        )

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        with contextlib.closing(self.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    def probe(self) -> None:
        self.execute("SELECT 1")

    def create_database(self, name: str) -> str:
        """Make an empty database; its DATABASE_URL."""
        self.execute(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
        return self.url(name)

    def url(self, database: str) -> str:
        """DATABASE_URL of a database on this server."""
        return f"mysql://root@127.0.0.1:{self.port}/{database}"

    def version(self) -> str:
        return str(self.execute("SELECT VERSION()")[0][0])


class Redis(Server):
    """A Redis server that keeps nothing on disk."""

    name = "redis"

    def command(self) -> list[str]:
        options = {
            "port": self.port,
            "bind": "127.0.0.1",
            "dir": str(self.folder),
            "save": "",
            "appendonly": "no",
            "databases": 64,
        }
        return [
            find_program("redis-server"),
            *(part for k, v in options.items() for part in (f"--{k}", str(v))),
        ]

    def client(self, database: int = 0) -> Any:
        import redis as redis_client
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        # A health check wants its answer now.
        never = Retry(NoBackoff(), 0)
        return redis_client.Redis(
            host="127.0.0.1", port=self.port, db=database, socket_timeout=5, retry=never
        )

    def probe(self) -> None:
        with self.client() as client:
            client.ping()

    def url(self, database: int = 0) -> str:
        """BROKER_URL of one of this server's databases."""
        return f"redis://127.0.0.1:{self.port}/{database}"

    def version(self) -> str:
        with self.client() as client:
            return str(client.info("server")["redis_version"])


@contextlib.contextmanager
def _folder(prefix: str) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def mariadb(options: Mapping[str, str | int] | None = None) -> Iterator[MariaDb]:
    """A running MariaDB with no database in it; ``options`` are server variables, such as ``{"port": 3307}``."""
    with _folder("bss-mariadb-") as folder:
        server = MariaDb(folder, options)
        try:
            server.install()
            server.start()
            yield server
        finally:
            server.stop()


@contextlib.contextmanager
def redis() -> Iterator[Redis]:
    """A running, empty Redis."""
    with _folder("bss-redis-") as folder:
        server = Redis(folder)
        try:
            server.start()
            yield server
        finally:
            server.stop()
