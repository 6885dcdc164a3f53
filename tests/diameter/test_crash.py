"""The server is killed under load and comes back: every request is charged once, with any repeats."""

from __future__ import annotations

import asyncio
from typing import Any

from django.db.models import Sum

from apps.charging.models import ChargingSession, LedgerEntry, Reservation
from apps.charging.services.audit import differences
from apps.diameter.load.runner import LoadPlan, LoadRun
from apps.diameter.load.scenarios import Party
from tests.charging.stored import make_prepaid, msisdn
from tests.interop.diameter.processes import diameter_server
from tests.servers import free_port

SMS_MICROS = 50_000
REQUESTS = 400
KILLS = 2


async def load_and_kill(database_url: str, plan: LoadPlan) -> Any:
    """Play the plan while the server is killed and started again, each time after some more answers."""
    run = LoadRun(plan)
    playing: asyncio.Task[Any] | None = None
    for kill in range(KILLS + 1):
        with diameter_server(database_url, port=plan.port) as server:
            if playing is None:
                playing = asyncio.create_task(run.run(1_700_000_000))
            if kill == KILLS:
                return await playing
            enough = run.result.latency.count + REQUESTS // (KILLS + 2)
            async with asyncio.timeout(120):
                while run.result.latency.count < enough:
                    await asyncio.sleep(0.01)
            server.process.kill()
            await asyncio.to_thread(server.process.wait)
    raise AssertionError("not reached")


def test_a_kill_under_load_charges_nothing_twice_and_loses_nothing(database_url):
    for number in range(4):
        make_prepaid(number, balance_micros=1_000_000_000)
    plan = LoadPlan(
        host="127.0.0.1",
        port=free_port(),
        parties=[Party(msisdn(number)) for number in range(4)],
        destination_realm="operator.test",
        mix={"sms": 1, "data": 1},
        sessions=8,
        requests=REQUESTS,
        rating_groups=(10, 20),
        repeat_share=0.05,
        persist=True,
        patience_s=120.0,
        seed=3,
    )

    result = asyncio.run(load_and_kill(database_url, plan))

    assert result.problems == {}
    assert result.reconnects == KILLS
    messages = result.codes["event", 2001]
    sent = LedgerEntry.objects.filter(kind="usage", session_id=None).aggregate(total=Sum("amount_micros"))[
        "total"
    ]
    assert -sent == messages * SMS_MICROS
    sessions = ChargingSession.objects.filter(status=ChargingSession.Status.CLOSED).count()
    assert sessions == result.codes["terminate", 2001] == result.codes["initial", 2001]
    assert not Reservation.objects.exists()
    assert list(differences()) == []
