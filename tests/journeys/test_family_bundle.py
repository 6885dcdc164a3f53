"""A prepaid family, whole: a tariff folder gives it one bundle, and sessions of two members share it over Gy."""

from __future__ import annotations

import asyncio
from io import StringIO
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db.models import Sum

from apps.actions.models import DueAction
from apps.charging.models import Account, Balance, ChargingSession, LedgerEntry, Reservation
from apps.charging.services.audit import differences
from apps.kernel.clock import utc_now
from tests.charging.stored import msisdn
from tests.diameter.messages import ccr_avps
from tests.diameter.servers import eventually, gateway
from tests.factories import make_plan, make_subscriber
from tests.interop.diameter.processes import diameter_server
from tests.journeys.test_tariff_to_pdf import tick, wait_for
from tests.rating.folders import write_folder

MIB = 1024 * 1024
BUNDLE_MIB = 32

FILES = {
    "Timings": "FIRST,*any,*any,1,*any,00:00:00\n",
    "Destinations": "WORLD,1\n",
    "Rates": f"R_DATA,0,0.01,{MIB},{MIB},0\n",
    "DestinationRates": "DR_DATA,*any,R_DATA,*up,4,0,\n",
    "RatingPlans": "RP_DATA,DR_DATA,*any,10\n",
    "RatingProfiles": "default,data,*any,*asap,RP_DATA,\n",
    "SharedGroups": "FAMILY,*any,*mine_lowest,\n",
    # The head pays for the bundle each month; the child belongs to the group with a balance that holds nothing.
    "Actions": (
        f"BUNDLE,*topup_reset,,,bundle,*data,*out,,,,FAMILY,*unlimited,,{BUNDLE_MIB * MIB},20,,,10\n"
        "BELONG,*topup,,,belongs,*data,*out,,,,FAMILY,*unlimited,,0,10,,,10\n"
        f"MORE,*topup,,,bundle,*data,*out,,,,FAMILY,,,{8 * MIB},20,,,10\n"
    ),
    "ActionPlans": "HEAD,BUNDLE,*asap,10\nHEAD,BUNDLE,FIRST,10\nCHILD,BELONG,*asap,10\n",
    "AccountActions": "default,C1,HEAD,,false,\ndefault,C2,CHILD,,false,\n",
}


class Session:
    """A data session of a member, which uses all that it is granted."""

    def __init__(self, client: Any, member: int, number: int) -> None:
        self.client, self.member = client, member
        self.session_id = f"pgw.test;{member};{number}"
        self.number = 0
        self.granted = self.used = 0
        self.final = self.refused = False

    async def request(self, kind: int, asked_mib: int | None = 3) -> None:
        group: dict[str, Any] = {"Rating-Group": 10}
        if kind != 1:
            group["Used-Service-Unit"] = [{"CC-Total-Octets": self.granted}]
            self.used += self.granted
        if asked_mib is not None:
            group["Requested-Service-Unit"] = {"CC-Total-Octets": asked_mib * MIB}
        answer = await self.client.request(
            ccr_avps(
                kind,
                self.number,
                Session_Id=self.session_id,
                Multiple_Services_Credit_Control=[group],
                Subscription_Id=[{"Subscription-Id-Type": 0, "Subscription-Id-Data": msisdn(self.member)}],
                Event_Timestamp=int(utc_now().timestamp()),
            )
        )
        self.number += 1
        (told,) = answer.avps.get("Multiple-Services-Credit-Control", [{}])
        self.granted = told.get("Granted-Service-Unit", {}).get("CC-Total-Octets", 0)
        self.final = "Final-Unit-Indication" in told
        self.refused = 4012 in (answer.avps["Result-Code"], told.get("Result-Code"))
        assert self.refused or answer.avps["Result-Code"] == 2001


def bundle() -> Balance:
    return Balance.objects.get(tag="bundle")


async def use_it_up(port: int) -> None:
    """Two sessions of each member, side by side, until the bundle ends; and once more after a top-up."""
    asked_again: set[str] = set()

    def on_server_request(incoming: Any) -> int:
        asked_again.add(incoming.avps["Session-Id"])
        return 2001

    client = gateway(on_server_request=on_server_request)
    await client.connect("127.0.0.1", port)
    sessions = [Session(client, member, number) for number in range(2) for member in (1, 2)]

    async def all_ask(kind: int, asked_mib: int | None = 3) -> None:
        await asyncio.gather(*(session.request(kind, asked_mib) for session in sessions))

    await all_ask(1)
    await all_ask(2)
    assert [session.granted for session in sessions] == [3 * MIB] * 4
    await all_ask(2)
    # 8 MiB are left of it: two have what they ask for, one has the rest and is told that it is final, one has nothing.
    assert sorted(session.granted for session in sessions) == [0, 2 * MIB, 3 * MIB, 3 * MIB]
    assert [session.final for session in sessions if session.granted == 2 * MIB] == [True]
    assert [session.refused for session in sessions if not session.granted] == [True]
    assert await asyncio.to_thread(lambda: bundle().units == bundle().reserved_units == 8 * MIB)
    await all_ask(2)
    assert all(session.refused for session in sessions)
    assert sum(session.used for session in sessions) == BUNDLE_MIB * MIB
    assert await asyncio.to_thread(lambda: bundle().units) == 0

    asked_again.clear()
    await asyncio.to_thread(call_command, "actions", "run", "MORE", "C1", "--key", "first", stdout=StringIO())

    async def all_told() -> bool:
        return asked_again == {session.session_id for session in sessions}

    # All that share the bundle are told, also those whose own account had no top-up.
    await eventually(all_told)
    await all_ask(2, 2)
    assert [session.granted for session in sessions] == [2 * MIB] * 4
    await all_ask(3, None)
    assert sum(session.used for session in sessions) == (BUNDLE_MIB + 8) * MIB
    await client.leave()


def test_a_familys_sessions_share_one_bundle_and_never_use_more(
    transactional_db: None, tmp_path: Path, database_url: str, celery_worker_process: Any
) -> None:
    plan = make_plan(data=(None, 0))
    for number in (1, 2):
        make_subscriber(number, plan=plan, mode="prepaid")
    call_command("loadtariffplan", str(write_folder(tmp_path / "folder", **FILES)), stdout=StringIO())
    celery_worker_process(["maintenance"])
    wait_for(
        lambda: Balance.objects.filter(tag__in=("bundle", "belongs")).count() == 2,
        lambda: tick("apps.actions.tasks.run_due_plans", "maintenance"),
        "the bundle",
    )
    assert DueAction.objects.get(entry__timing="FIRST").due_at > utc_now()
    # No session is told for the tariff that was just loaded, only for the top-up.
    with diameter_server(database_url, BSS_DIAMETER_TARIFF_REAUTHORISATIONS_PER_S="0") as server:
        asyncio.run(use_it_up(server.port))
        assert server.stop() == 0

    assert bundle().units == 0
    assert set(ChargingSession.objects.values_list("status", flat=True)) == {ChargingSession.Status.CLOSED}
    assert not Reservation.objects.exists()
    # Only the bundle paid: each member's usage stands in the head's ledger, and there is no money and no debt.
    assert set(LedgerEntry.objects.values_list("balance__tag", flat=True)) == {"bundle"}
    used = LedgerEntry.objects.filter(units__lt=0).aggregate(units=Sum("units"))["units"]
    assert used == -(BUNDLE_MIB + 8) * MIB
    in_group = Account.objects.filter(balances__groups__code="FAMILY")
    assert set(in_group.values_list("number", flat=True)) == {"C1", "C2"}
    assert list(differences()) == []
