"""New subscribers with included units, over the real server: their first sessions are charged to the ledger."""

from __future__ import annotations

import asyncio

from django.db.models import Sum

from apps.charging.models import AllowanceCounter, AllowanceEntry, LedgerEntry, Reservation
from apps.charging.services.audit import differences
from apps.diameter.load.runner import LoadPlan, LoadRun
from apps.diameter.load.scenarios import Party
from tests.charging.stored import make_prepaid, msisdn
from tests.factories import make_plan
from tests.interop.diameter.processes import diameter_server


def test_the_first_sessions_of_new_subscribers_on_included_units_succeed_from_first_to_last(database_url):
    plan = make_plan("FREE", data=(10_000, 10))
    for number in range(3):
        make_prepaid(number, balance_micros=1_000_000_000, plan=plan.code)
    with diameter_server(database_url) as server:
        load = LoadPlan(
            host="127.0.0.1",
            port=server.port,
            parties=[Party(msisdn(number)) for number in range(3)],
            destination_realm="operator.test",
            mix={"data": 1},
            sessions=3,
            requests=60,
            rating_groups=(10,),
        )
        result = asyncio.run(LoadRun(load).run(1_700_000_000))
    assert {code for _, code in result.codes} == {2001}
    assert result.codes["update", 2001] > 0
    used = AllowanceCounter.objects.aggregate(used=Sum("used_online"), held=Sum("reserved"))
    entries = AllowanceEntry.objects.aggregate(used=Sum("units"))
    assert used == {"used": entries["used"], "held": 0}
    assert used["used"] > 0
    assert LedgerEntry.objects.filter(kind="usage").exists()
    assert not Reservation.objects.exists()
    assert list(differences()) == []
