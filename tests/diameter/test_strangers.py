"""What peers may not do to others, and to money, with real charging behind real connections."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from apps.charging.models import ChargingSession, PeerDay
from apps.charging.services.executor import BatchExecutor
from apps.diameter.load.client import GatewayClient
from apps.diameter.models import Peer, ServiceRule
from apps.diameter.worker.server import DiameterServer
from apps.kernel.clock import utc_now
from apps.rating.models import Service
from tests.charging.stored import default_balance, make_prepaid, msisdn
from tests.diameter.messages import SESSION_ID, ccr_avps
from tests.diameter.test_server import configuration, gateway

pytestmark = pytest.mark.django_db(transaction=True)

MIB = 1024 * 1024


def serve(*hosts: str, scenario: Callable[..., Awaitable[None]]) -> list[Any]:
    """Run the scenario with a connected gateway of each name; what the server logged."""

    async def run() -> None:
        with BatchExecutor() as executor:
            server = DiameterServer(configuration(), executor)
            await server.start()
            clients: list[GatewayClient] = []
            try:
                for host in hosts:
                    clients.append(gateway(host))
                    await clients[-1].connect("127.0.0.1", server.ports[0])
                await scenario(*clients)
                for client in clients:
                    await client.leave()
            finally:
                await server.stop()

    with capture_logs() as logs:
        asyncio.run(run())
    return logs


def session(kind: int, number: int, host: str = "pgw.test", **units: Any) -> dict[str, Any]:
    group = {"Rating-Group": 10, **{name.replace("_", "-"): value for name, value in units.items()}}
    return ccr_avps(
        kind,
        number,
        Origin_Host=host,
        Multiple_Services_Credit_Control=[group],
        Subscription_Id=[{"Subscription-Id-Type": 0, "Subscription-Id-Data": msisdn()}],
        Event_Timestamp=int(utc_now().timestamp()),
    )


def event(action: int, units: dict[str, Any], number: int = 0, **changes: Any) -> dict[str, Any]:
    avps = ccr_avps(
        4,
        number,
        Requested_Action=action,
        Requested_Service_Unit=units,
        Subscription_Id=[{"Subscription-Id-Type": 0, "Subscription-Id-Data": msisdn()}],
        Event_Timestamp=int(utc_now().timestamp()),
    )
    return avps | {name.replace("_", "-"): value for name, value in changes.items()}


def euros(digits: int) -> dict[str, Any]:
    return {"CC-Money": {"Unit-Value": {"Value-Digits": digits}, "Currency-Code": 978}}


ASKED, USED = {"CC-Total-Octets": 5 * MIB}, [{"CC-Total-Octets": MIB}]


@pytest.mark.parametrize("pretends", [False, True])
def test_a_stranger_neither_ends_a_session_nor_spoils_its_next_request(pretends):
    make_prepaid()

    async def scenario(owner: Any, stranger: Any) -> None:
        host = "pgw.test" if pretends else "evil.test"
        first = await owner.request(session(1, 0, Requested_Service_Unit=ASKED))
        assert first.avps["Result-Code"] == 2001
        for kind, number in ((2, 1), (3, 2)):
            refused = await stranger.request(session(kind, number, host, Used_Service_Unit=USED))
            assert refused.avps["Result-Code"] == 5002
        second = await owner.request(session(2, 1, Requested_Service_Unit=ASKED, Used_Service_Unit=USED))
        assert second.avps["Result-Code"] == 2001
        assert (await owner.request(session(3, 2, Used_Service_Unit=USED))).avps["Result-Code"] == 2001

    logs = serve("pgw.test", "evil.test", scenario=scenario)
    assert default_balance().amount_micros == 980_000
    told = next(line for line in logs if line["event"] == "diameter.refused_by_rule")
    assert (told["peer"], told["session_id"], told["result_code"]) == ("evil.test", SESSION_ID, 5002)


def test_gateways_of_one_realm_that_share_their_sessions_stand_in_for_each_other():
    make_prepaid()
    for host in ("pgw.test", "pgw2.test"):
        Peer.objects.create(host=host, sessions_belong_to="realm")

    async def scenario(one: Any, two: Any) -> None:
        assert (await one.request(session(1, 0, Requested_Service_Unit=ASKED))).avps["Result-Code"] == 2001
        answer = await two.request(session(3, 1, "pgw2.test", Used_Service_Unit=USED))
        assert answer.avps["Result-Code"] == 2001

    serve("pgw.test", "pgw2.test", scenario=scenario)
    assert (ChargingSession.objects.get().owner, default_balance().amount_micros) == (
        "@visited.test",
        990_000,
    )


def test_a_refund_of_a_million_is_refused_counted_and_logged():
    make_prepaid(balance_micros=10_000_000)

    async def scenario(client: Any) -> None:
        assert (await client.request(event(0, euros(2)))).avps["Result-Code"] == 2001
        refused = await client.request(event(1, euros(1_000_000), 1))
        assert refused.avps["Result-Code"] == 5012
        assert refused.avps["Error-Message"] == "refund_exceeds_debits"
        assert (await client.request(event(1, euros(2), 2))).avps["Result-Code"] == 2001
        assert (await client.request(event(1, euros(1), 3))).avps["Result-Code"] == 5012

    logs = serve("pgw.test", scenario=scenario)
    assert default_balance().amount_micros == 10_000_000
    assert (PeerDay.objects.get().refusals, PeerDay.objects.get().refunded_micros) == (2, 2_000_000)
    assert "refund_exceeds_debits" in [line.get("why") for line in logs]


def test_a_peers_row_bounds_what_it_moves_a_day():
    make_prepaid(balance_micros=10_000_000)
    Peer.objects.create(host="pgw.test", money_a_day_micros=3_000_000)

    async def scenario(client: Any) -> None:
        codes = [
            (await client.request(event(0, euros(2), number))).avps["Result-Code"] for number in range(2)
        ]
        assert codes == [2001, 5012]

    serve("pgw.test", scenario=scenario)
    assert default_balance().amount_micros == 8_000_000


def test_a_message_is_not_debited_as_octets():
    make_prepaid()

    async def scenario(client: Any) -> None:
        refused = await client.request(event(0, {"CC-Service-Specific-Units": 1}))
        assert refused.avps["Result-Code"] == 5004

    serve("pgw.test", scenario=scenario)
    assert default_balance().amount_micros == 1_000_000


def test_a_used_total_that_cannot_be_is_an_invalid_value_and_its_session_shows_it():
    make_prepaid()

    async def scenario(client: Any) -> None:
        await client.request(session(1, 0, Requested_Service_Unit=ASKED))
        refused = await client.request(
            session(2, 1, Requested_Service_Unit=ASKED, Used_Service_Unit=[{"CC-Total-Octets": 2**64 - 1}])
        )
        assert refused.avps["Result-Code"] == 5004
        assert refused.avps["Failed-AVP"]

    serve("pgw.test", scenario=scenario)
    assert str(1 << 61) in ChargingSession.objects.get().meters
    assert default_balance().amount_micros == 1_000_000


def test_a_session_of_the_largest_sub_session_is_charged():
    make_prepaid()
    sub_session = {"CC-Sub-Session-Id": 2**64 - 1}

    async def scenario(client: Any) -> None:
        assert (await client.request(session(1, 0, Requested_Service_Unit=ASKED) | sub_session)).avps[
            "Result-Code"
        ] == 2001
        answer = await client.request(session(3, 1, Used_Service_Unit=USED) | sub_session)
        assert (answer.avps["Result-Code"], answer.avps["CC-Sub-Session-Id"]) == (2001, 2**64 - 1)

    serve("pgw.test", scenario=scenario)
    assert default_balance().amount_micros == 990_000


def test_an_operators_own_context_is_served_once_a_rule_says_what_it_is():
    make_prepaid()
    sms = {"CC-Service-Specific-Units": 1}

    async def refused(client: Any) -> None:
        answer = await client.request(event(0, sms, Service_Context_Id="message.1@operator"))
        assert answer.avps["Result-Code"] == 5031
        assert answer.avps["Error-Message"] == "no service rule fits context message.1@operator"

    async def served(client: Any) -> None:
        answer = await client.request(event(0, sms, 1, Service_Context_Id="message.1@operator"))
        assert answer.avps["Result-Code"] == 2001

    serve("pgw.test", scenario=refused)
    rule = ServiceRule(context="message*@operator", service=Service.objects.get(code="sms"))
    rule.full_clean()
    rule.save()
    serve("pgw.test", scenario=served)
