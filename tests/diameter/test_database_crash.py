"""The database is killed under Diameter load and comes back: every request is charged once, and the books are right."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from apps.diameter.load.runner import LoadPlan, LoadRun
from apps.diameter.load.scenarios import Party
from tests import servers
from tests.charging.hammer import ACCOUNTS, OPENING_MICROS
from tests.charging.stored import msisdn
from tests.charging.test_crashes import Crashing
from tests.interop.diameter.processes import diameter_server
from tests.servers import free_port

pytestmark = pytest.mark.mariadb_only

REQUESTS = 600
KILLS = 2


def play(plan: LoadPlan, kill: Callable[[], None]) -> Any:
    """The plan, with a kill after each third of its requests.

    The gateways play in a thread: a server that a thread starts is taken down with that thread.
    """
    run = LoadRun(plan)
    with ThreadPoolExecutor(max_workers=1) as gateways:
        playing = gateways.submit(asyncio.run, run.run(1_700_000_000))
        for number in range(1, KILLS + 1):
            while run.result.latency.count < number * REQUESTS // (KILLS + 1):
                assert not playing.done(), "the load was over before the database was killed"
                time.sleep(0.001)
            kill()
        return playing.result(timeout=180)


def test_a_kill_of_the_database_under_load_charges_nothing_twice_and_loses_nothing(
    own_mariadb: servers.MariaDb, tmp_path: Path
) -> None:
    crashing = Crashing(own_mariadb, tmp_path)

    def kill() -> None:
        own_mariadb.kill()
        own_mariadb.start()

    plan = LoadPlan(
        host="127.0.0.1",
        port=free_port(),
        parties=[Party(msisdn(number)) for number in range(1, ACCOUNTS + 1)],
        destination_realm="operator.test",
        mix={"sms": 1, "data": 1},
        sessions=8,
        requests=REQUESTS,
        rating_groups=(10, 20),
        octets=10_000,
        ask=1_000_000,
        repeat_share=0.05,
        persist=True,
        patience_s=120.0,
        timeout_s=60.0,
        seed=4,
    )
    with diameter_server(crashing.env["DATABASE_URL"], port=plan.port) as server:
        result = play(plan, kill)
        assert server.stop() == 0, "".join(line for line in server.log if "diameter." in line)

    assert result.problems == {}
    assert {code for _, code in result.codes} == {2001}
    assert crashing.figure("SELECT COUNT(*) FROM charging_storedanswer") == result.latency.count
    closed = crashing.figure("SELECT COUNT(*) FROM charging_chargingsession WHERE status = 'closed'")
    assert closed == result.codes["terminate", 2001] == result.codes["initial", 2001]
    assert crashing.figure("SELECT COUNT(*) FROM charging_reservation") == 0
    messages = crashing.figure(
        "SELECT COUNT(*) FROM charging_ledgerentry WHERE cause LIKE 'event:%' AND kind = 'usage'"
    )
    assert messages == result.codes["event", 2001]
    spent = ACCOUNTS * OPENING_MICROS - crashing.figure("SELECT SUM(amount_micros) FROM charging_balance")
    assert spent == -crashing.figure(
        "SELECT SUM(amount_micros) FROM charging_ledgerentry WHERE kind = 'usage'"
    )
    assert spent > 0
    assert "the books are right" in crashing.finish("manage.py", "audit")
