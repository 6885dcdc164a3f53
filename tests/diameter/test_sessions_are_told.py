"""What happens to an account reaches its gateway, with real charging behind a real connection."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from apps.charging.domain.requests import BalanceOrder, OnlineRequest, Operation
from apps.charging.models import BalanceTrigger, QuotaPolicy
from apps.charging.services.executor import BatchExecutor, charge_now, forget_directory
from apps.diameter.models import Peer
from apps.diameter.worker.server import DiameterServer
from apps.kernel.clock import utc_now
from apps.rating.models import PricePlanService, Service, Tenant
from apps.rating.services.publishing import publish
from apps.subscribers.services.assignments import assign_plan
from tests.charging.stored import account_of, default_balance, make_prepaid, msisdn
from tests.diameter.messages import ccr_avps
from tests.diameter.test_server import configuration, eventually, gateway
from tests.factories import make_plan

pytestmark = pytest.mark.django_db(transaction=True)

MIB = 1024 * 1024


def request(
    kind: int, number: int, used_mib: int | None = None, asked_mib: int | None = 10
) -> dict[str, Any]:
    """A data session's CCR, now."""
    group: dict[str, Any] = {"Rating-Group": 10}
    if asked_mib is not None:
        group["Requested-Service-Unit"] = {"CC-Total-Octets": asked_mib * MIB}
    if used_mib is not None:
        group["Used-Service-Unit"] = [{"CC-Total-Octets": used_mib * MIB}]
    return ccr_avps(
        kind,
        number,
        Multiple_Services_Credit_Control=[group],
        Subscription_Id=[{"Subscription-Id-Type": 0, "Subscription-Id-Data": msisdn()}],
        Event_Timestamp=int(utc_now().timestamp()),
    )


def serve(scenario: Callable[[Any, list[tuple[int, str]]], Awaitable[None]]) -> None:
    """Run the scenario with a connected gateway and the list of what the server asked of it."""
    asked: list[tuple[int, str]] = []

    def on_server_request(incoming: Any) -> int:
        asked.append((incoming.header.command, incoming.avps["Session-Id"]))
        return 2001

    async def run() -> None:
        with BatchExecutor() as executor:
            server = DiameterServer(
                configuration(events_s=0.05), executor, forget_lines=executor.engine.directory.forget_lines
            )
            await server.start()
            try:
                client = gateway(on_server_request=on_server_request)
                await client.connect("127.0.0.1", server.ports[0])
                await scenario(client, asked)
                await client.leave()
            finally:
                await server.stop()

    asyncio.run(run())


def test_a_low_balance_re_authorises_and_fast_spending_ends_the_session():
    make_prepaid(balance_micros=1_000_000)
    tenant = Tenant.objects.get(code="default")
    common = {"tenant": tenant, "currency": "EUR"}
    BalanceTrigger.objects.create(
        name="low", kind="below", threshold_micros=950_000, action="reauthorise", **common
    )
    BalanceTrigger.objects.create(
        name="fraud", kind="spent", threshold_micros=150_000, window_s=3_600, action="bar", **common
    )

    async def scenario(client: Any, asked: list[tuple[int, str]]) -> None:
        async def told(times: int) -> None:
            async def enough() -> bool:
                return len(asked) >= times

            await eventually(enough)

        assert (await client.request(request(1, 0))).avps["Result-Code"] == 2001
        assert (await client.request(request(2, 1, used_mib=10))).avps["Result-Code"] == 2001
        await told(1)
        assert (await client.request(request(2, 2, used_mib=6))).avps["Result-Code"] == 2001
        await told(2)
        barred = await client.request(request(2, 3, used_mib=1))
        assert barred.avps["Result-Code"] == 4010
        assert (await client.request(request(3, 4, used_mib=1, asked_mib=None))).avps["Result-Code"] == 2001
        assert [command for command, _ in asked] == [258, 274]

    serve(scenario)
    # What the barred account used until the end was still debited: 18 MiB at 0.01.
    assert default_balance().amount_micros == 820_000


def test_a_quota_after_a_change_of_plan_is_granted_by_the_new_plan():
    subscriber = make_prepaid(balance_micros=1_000_000)
    dear = make_plan("DEAR", data=(500_000, 0))
    publish(utc_now())

    async def scenario(client: Any, asked: list[tuple[int, str]]) -> None:
        first = await client.request(request(1, 0))
        assert first.avps["Multiple-Services-Credit-Control"][0]["Granted-Service-Unit"] == {
            "CC-Total-Octets": 10 * MIB
        }
        await asyncio.to_thread(assign_plan, subscriber.id, dear.id, utc_now())

        async def told() -> bool:
            return bool(asked)

        await eventually(told)
        second = await client.request(request(2, 1, used_mib=0))
        (group,) = second.avps["Multiple-Services-Credit-Control"]
        assert group["Granted-Service-Unit"] == {"CC-Total-Octets": 2 * MIB}

    serve(scenario)


def test_a_first_session_that_is_redirected_is_told_of_a_top_up_and_gets_units():
    make_prepaid(balance_micros=0)
    QuotaPolicy.objects.create(
        service=Service.objects.get(code="data"),
        default_units=MIB,
        final_action="redirect",
        redirect_address="https://top.up/",
    )
    forget_directory()

    async def scenario(client: Any, asked: list[tuple[int, str]]) -> None:
        first = await client.request(request(1, 0))
        (group,) = first.avps["Multiple-Services-Credit-Control"]
        assert (first.avps["Result-Code"], group["Result-Code"]) == (2001, 2001)
        assert "Granted-Service-Unit" not in group
        server = {"Redirect-Address-Type": 2, "Redirect-Server-Address": "https://top.up/"}
        assert group["Final-Unit-Indication"] == {"Final-Unit-Action": 1, "Redirect-Server": server}

        await asyncio.to_thread(top_up)

        async def told() -> bool:
            return bool(asked)

        await eventually(told)
        assert asked == [(258, first.avps["Session-Id"])]
        second = await client.request(request(2, 1, used_mib=0))
        (group,) = second.avps["Multiple-Services-Credit-Control"]
        assert group["Granted-Service-Unit"] == {"CC-Total-Octets": 10 * MIB}
        assert "Final-Unit-Indication" not in group

    serve(scenario)


def top_up() -> None:
    now = utc_now()
    order = BalanceOrder(account_of().pk, 5_000_000, "cash")
    charge_now(OnlineRequest(Operation.TOP_UP, "top-up;1", 0, now, order=order), now)


def test_a_session_in_money_is_granted_cut_and_debited():
    make_prepaid(balance_micros=1_000_000)

    def in_money(kind: int, number: int, used: int | None, asked: int | None) -> dict[str, Any]:
        avps = request(kind, number)
        group = {"Rating-Group": 77}
        if asked is not None:
            group["Requested-Service-Unit"] = {"CC-Money": cents(asked)}  # type: ignore[assignment]
        if used is not None:
            group["Used-Service-Unit"] = [{"CC-Money": cents(used)}]  # type: ignore[assignment]
        return avps | {"Multiple-Services-Credit-Control": [group]}

    async def scenario(client: Any, asked: list[tuple[int, str]]) -> None:
        answers = [
            await client.request(in_money(1, 0, None, 60)),
            await client.request(in_money(2, 1, 60, 60)),
            await client.request(in_money(3, 2, 15, None)),
        ]
        assert [answer.avps["Result-Code"] for answer in answers] == [2001, 2001, 2001]
        first, second, last = (answer.avps["Multiple-Services-Credit-Control"][0] for answer in answers)
        assert first["Granted-Service-Unit"] == {"CC-Money": tenths(6)}
        # There is no more than 0.40 left.
        assert second["Granted-Service-Unit"] == {"CC-Money": tenths(4)}
        assert second["Final-Unit-Indication"] == {"Final-Unit-Action": 0}
        assert "Granted-Service-Unit" not in last

    serve(scenario)
    assert (default_balance().amount_micros, default_balance().reserved_micros) == (250_000, 0)


def cents(digits: int) -> dict[str, Any]:
    return {"Unit-Value": {"Value-Digits": digits, "Exponent": -2}, "Currency-Code": 978}


def tenths(digits: int) -> dict[str, Any]:
    return {"Unit-Value": {"Value-Digits": digits, "Exponent": -1}, "Currency-Code": 978}


def test_a_free_service_is_told_to_a_peer_that_understands_it():
    make_prepaid(plan="FREE", balance_micros=0)
    PricePlanService.objects.filter(service__code="data").update(price_micros=0)
    publish(utc_now())
    Peer.objects.create(host="pgw.test", free_services="data")

    async def scenario(client: Any, asked: list[tuple[int, str]]) -> None:
        answer = await client.request(request(1, 0))
        assert answer.avps["Result-Code"] == 2001
        assert answer.avps["Multiple-Services-Credit-Control"] == [{"Rating-Group": 10, "Result-Code": 4011}]

    serve(scenario)


def test_a_free_service_has_to_be_one_that_there_is():
    make_prepaid()
    with pytest.raises(ValidationError, match="no service gaming"):
        Peer(host="pgw.test", free_services="data gaming").full_clean()
