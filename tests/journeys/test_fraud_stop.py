"""A fraud stop, whole: from the files of a tariff folder to the end of a Gy session, with real processes."""

from __future__ import annotations

import asyncio
from io import StringIO
from pathlib import Path
from typing import Any

from django.core.management import call_command

from apps.actions.models import Errand
from apps.charging.models import AccountBar, ChargingSession, LedgerEntry, SessionOrder, TriggerFiring
from apps.charging.services.audit import differences
from tests.charging.stored import account_of, default_balance, make_prepaid
from tests.diameter.servers import eventually, gateway
from tests.diameter.test_sessions_are_told import MIB, request
from tests.interop.diameter.processes import diameter_server
from tests.journeys.test_tariff_to_pdf import tick, wait_for
from tests.rating.folders import write_folder

FILES = {
    # More than 15 MiB stops the account, and staff is told; 5 MiB before that, a warning.
    "Actions": (
        "STOP,*disable_account,too much data at once,,,,,,,,,,,,,,,20\n"
        "STOP,*log,call the customer,,,,,,,,,,,,,,,10\n"
        "WARN,*topup,,,sorry,*sms,*out,,,,,+720h,,3,,,,10\n"
    ),
    "ActionTriggers": (
        f"FRAUD,warning,*max_event_counter,{10 * MIB},false,,,,,*data,*out,,,,,,,,,,,WARN,10\n"
        f"FRAUD,stop,*max_event_counter,{15 * MIB},false,,,,,*data,*out,,,,,,,,,,,STOP,10\n"
    ),
    "AccountActions": "default,C1,,FRAUD,,\n",
}


async def use_too_much(port: int) -> list[int]:
    """A gateway's session that goes on until the server ends it; what the server asked of the gateway."""
    asked: list[int] = []

    def on_server_request(incoming: Any) -> int:
        asked.append(incoming.header.command)
        return 2001

    async def told() -> bool:
        return 274 in asked

    client = gateway(on_server_request=on_server_request)
    await client.connect("127.0.0.1", port)
    assert (await client.request(request(1, 0))).avps["Result-Code"] == 2001
    assert (await client.request(request(2, 1, used_mib=10))).avps["Result-Code"] == 2001
    assert 274 not in asked
    # The request that passes the threshold is still answered; the account is barred with it.
    assert (await client.request(request(2, 2, used_mib=6))).avps["Result-Code"] == 2001
    assert (await client.request(request(2, 3, used_mib=1))).avps["Result-Code"] == 4010
    await eventually(told)
    assert (await client.request(request(3, 4, used_mib=1, asked_mib=None))).avps["Result-Code"] == 2001
    await client.leave()
    return asked


def test_a_session_that_uses_too_much_is_ended_by_what_the_folder_says(
    transactional_db: None, tmp_path: Path, database_url: str, celery_worker_process: Any
) -> None:
    make_prepaid(balance_micros=1_000_000)
    call_command("loadtariffplan", str(write_folder(tmp_path / "folder", **FILES)), stdout=StringIO())
    with diameter_server(database_url) as server:
        asked = asyncio.run(use_too_much(server.port))
        assert server.stop() == 0

    # A credit may have had the gateway ask again (258) before.
    assert asked.count(274) == 1
    warning, stop = TriggerFiring.objects.order_by("pk")
    assert (warning.trigger.name, warning.value_units) == ("FRAUD:warning", 10 * MIB)
    assert (stop.trigger.name, stop.value_units, stop.actions) == ("FRAUD:stop", 16 * MIB, "STOP")
    bar = AccountBar.objects.get()
    assert (bar.account, bar.note, bar.barred_by) == (
        account_of(),
        "too much data at once",
        f"action:firing:{stop.pk}",
    )
    assert SessionOrder.objects.get(kind=SessionOrder.Kind.ABORT).status == SessionOrder.Status.DONE
    assert ChargingSession.objects.get().status == ChargingSession.Status.CLOSED
    # All that was used is paid, also what came after the bar: 18 MiB at 0.01.
    assert default_balance().amount_micros == 820_000
    assert LedgerEntry.objects.get(cause=f"action:firing:{warning.pk}:0:0").units == 3

    celery_worker_process(["maintenance"])
    wait_for(
        lambda: Errand.objects.filter(status=Errand.Status.DONE, parameters="call the customer").exists(),
        lambda: (
            tick("apps.events.tasks.deliver_events", "maintenance"),
            tick("apps.actions.tasks.run_errands", "maintenance"),
        )[0],
        "the errand",
    )
    assert Errand.objects.count() == 1
    assert list(differences()) == []
