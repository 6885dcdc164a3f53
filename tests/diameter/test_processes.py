"""Several server processes: behind one port, and on one account."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.charging.models import Balance
from apps.charging.services.audit import differences
from apps.diameter.load.client import GatewayClient
from apps.diameter.load.runner import LoadPlan, LoadRun
from apps.diameter.load.scenarios import Party
from apps.diameter.models import ServerProcess
from apps.diameter.protocol.node import LocalNode
from apps.diameter.protocol.values import address_of_text
from tests.charging.stored import make_prepaid, msisdn
from tests.diameter.messages import ccr_avps
from tests.interop.diameter.processes import RunningServer, diameter_server

SMS_MICROS = 50_000
MESSAGES = 40


def plan_for(port: int, **changes: Any) -> LoadPlan:
    values: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": port,
        "parties": [Party(msisdn(1))],
        "destination_realm": "operator.test",
        "mix": {"sms": 1},
        "sessions": 4,
        "requests": 2 * MESSAGES,
    }
    return LoadPlan(**(values | changes))


def test_two_servers_never_take_an_account_below_zero(database_url):
    make_prepaid(1, balance_micros=MESSAGES * SMS_MICROS)

    async def play(ports: list[int]) -> list[Any]:
        plans = [plan_for(port, origin_host=f"gateway{port}-") for port in ports]
        return await asyncio.gather(*(LoadRun(plan).run(1_700_000_000) for plan in plans))

    with diameter_server(database_url) as first, diameter_server(database_url) as second:
        results = asyncio.run(play([first.port, second.port]))

    codes = results[0].codes + results[1].codes
    assert codes["event", 2001] == MESSAGES
    assert set(codes) == {("event", 2001), ("event", 4012)}
    assert Balance.objects.get(account__payers__subscriber__number="S1").amount_micros == 0
    assert list(differences()) == []


def pids_of(server: RunningServer) -> list[int]:
    return [
        int(found[1]) for line in server.log if (found := re.search(r"listening at .* process (\d+)", line))
    ]


async def eventually(condition) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.05)


async def answered(port: int, host: str) -> int:
    client = GatewayClient(LocalNode(host, "visited.test", (address_of_text("127.0.0.1"),)))
    await client.connect("127.0.0.1", port)
    code = (await client.request(ccr_avps(4, 0, Requested_Action=2))).avps["Result-Code"]
    await client.leave()
    return code


def cores_kept_to(pids: list[int]) -> list[int]:
    """The one core of each process, which all its threads keep to."""
    kept = []
    for pid in pids:
        of_threads = [os.sched_getaffinity(int(task.name)) for task in Path(f"/proc/{pid}/task").iterdir()]
        assert all(cores == of_threads[0] for cores in of_threads)
        (core,) = of_threads[0]
        kept.append(core)
    return sorted(set(kept))


@pytest.mark.any_database
def test_processes_share_a_port_one_that_falls_is_replaced_and_all_stop_together(database_url):
    make_prepaid(1)

    async def scenario(server: RunningServer, cores: list[int]) -> None:
        await eventually(lambda: len(pids_of(server)) == 2)
        assert sum("role=diameter" in line for line in server.log) == 2
        first, second = pids_of(server)
        assert cores_kept_to([first, second]) == sorted(cores)
        os.kill(first, signal.SIGKILL)
        await eventually(lambda: len(pids_of(server)) == 3)
        assert cores_kept_to([second, pids_of(server)[2]]) == sorted(cores)
        for number in range(8):
            assert await answered(server.port, f"pgw{number}.test") in (2001, 5030)
        assert server.stop() == 0
        for pid in (second, pids_of(server)[2]):
            assert not Path(f"/proc/{pid}").exists()

    cores = sorted(os.sched_getaffinity(0))[:2]
    with diameter_server(database_url, "--processes", "2", "--cores", ",".join(map(str, cores))) as server:
        asyncio.run(scenario(server, cores))

    assert not ServerProcess.objects.exists()


@pytest.mark.any_database
def test_processes_whose_keeper_is_killed_drain_and_end(database_url):
    async def scenario(server: RunningServer) -> None:
        await eventually(lambda: len(pids_of(server)) == 2)
        server.process.kill()
        # One that is killed leaves its row behind.
        await eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids_of(server)))

    with diameter_server(database_url, "--processes", "2") as server:
        asyncio.run(scenario(server))

    assert not ServerProcess.objects.exists()


@pytest.mark.parametrize("how", ["setting", "option"])
def test_an_address_that_is_none_is_said_in_one_line(how, settings):
    options = {"bind": "127.0.0.1:3868"} if how == "option" else {}
    if how == "setting":
        settings.DIAMETER_BIND = "127.0.0.1:3868"
    with pytest.raises(CommandError, match=r"BSS_DIAMETER_BIND: '127.0.0.1:3868' does not appear to be"):
        call_command("rundiameter", **options)
