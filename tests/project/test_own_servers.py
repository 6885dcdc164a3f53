"""The servers that tests and benchmarks bring along."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests import servers


def _runs(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


@pytest.mark.mariadb_only
def test_mariadb_keeps_committed_rows_when_it_is_killed(own_mariadb: servers.MariaDb) -> None:
    own_mariadb.create_database("bss")
    own_mariadb.execute("CREATE TABLE bss.kept (id INT PRIMARY KEY) ENGINE=InnoDB")
    own_mariadb.execute("INSERT INTO bss.kept VALUES (7)")
    before = own_mariadb.pid
    own_mariadb.kill()
    assert not _runs(before)
    own_mariadb.start()
    assert own_mariadb.pid != before
    assert own_mariadb.execute("SELECT id FROM bss.kept") == [(7,)]


def test_a_redis_is_stopped_and_its_folder_removed_when_the_block_fails() -> None:
    seen: list[servers.Redis] = []

    def fail() -> None:
        with servers.redis() as server:
            seen.append(server)
            pids.append(server.pid)
            assert _runs(server.pid)
            raise RuntimeError("the block fails")

    pids: list[int] = []
    with pytest.raises(RuntimeError, match="the block fails"):
        fail()
    assert not _runs(pids[0])
    assert not seen[0].folder.exists()


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    class Broken(servers.Redis):
        def command(self) -> list[str]:
            return [*super().command(), "--no-such-option", "yes"]

    with pytest.raises(servers.ServerFailed, match="no-such-option"):
        Broken(tmp_path).start()


def test_two_servers_take_different_ports() -> None:
    with servers.redis() as one, servers.redis() as other:
        assert one.port != other.port
        one.client().set("key", "one")
        assert other.client().get("key") is None
        assert os.path.isdir(one.folder)
