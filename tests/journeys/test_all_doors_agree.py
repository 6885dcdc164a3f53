"""One subscriber through every door: PHP over gRPC, Diameter, the admin, REST. All of them tell the same story."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.billing.models import Bill
from apps.billing.services.execution import run_activity
from apps.charging.models import ChargingSession, LedgerEntry
from apps.charging.services.audit import differences
from apps.diameter.load.client import GatewayClient
from apps.kernel.clock import utc_now
from apps.kernel.money import format_micros
from apps.rating.services.publishing import publish
from apps.subscribers.models import Subscriber
from tests.diameter.messages import GATEWAY, ccr_avps
from tests.factories import make_cycle, make_plan
from tests.interop.diameter.processes import RunningServer, diameter_server
from tests.interop.grpc_server import authority, crm_server, token
from tests.interop.php.client import generate, php

pytestmark = pytest.mark.django_db(transaction=True)
MSISDN = "4915559000777"
SMS, VOICE = "32274@3gpp.org", "32260@3gpp.org"
MINUTE_MICROS, SMS_MICROS, OPENING_MICROS = 60_000, 50_000, 10_000_000


def credit_control(server: RunningServer, *requests: dict[str, Any]) -> list[dict[str, Any]]:
    """What the Diameter server answers to CCRs, one after the other over one connection."""

    async def talk() -> list[dict[str, Any]]:
        client = GatewayClient(GATEWAY)
        await client.connect("127.0.0.1", server.port)
        answers = [(await client.request(avps)).avps for avps in requests]
        await client.leave()
        return answers

    return asyncio.run(talk())


def ccr(request_type: int, number: int, session: str, context: str, **changes: Any) -> dict[str, Any]:
    return ccr_avps(
        request_type,
        number,
        Session_Id=f"pgw.test;1;{session}",
        Service_Context_Id=context,
        Subscription_Id=[{"Subscription-Id-Type": 0, "Subscription-Id-Data": MSISDN}],
        Event_Timestamp=int(utc_now().timestamp()),
        **changes,
    )


def test_php_creates_diameter_charges_the_admin_suspends_and_everybody_reads_the_same_bill(
    database_url, tmp_path, admin_client
):
    make_plan("EASY", voice=(MINUTE_MICROS, 0), sms=(SMS_MICROS, 0))
    make_cycle(1)
    publish(utc_now())
    generated = generate(tmp_path / "generated")
    rest = Client(HTTP_AUTHORIZATION=f"Bearer {token('admin')}")

    def over_rest(path: str) -> Any:
        answer = rest.get(f"/api/v1/{path}")
        assert answer.status_code == 200, answer.content
        return answer.json()

    with crm_server(database_url) as crm, diameter_server(database_url) as gy:

        def over_php(scenario: str, **said: Any) -> Any:
            target = {
                "target": f"localhost:{crm.port}",
                "authority": str(authority()),
                "token": token("crm_agent"),
            }
            got = php(scenario, {**target, **said}, generated)
            assert got["code"] == 0, got
            return got["answer"]

        # The CRM creates her; every door knows her by one id.
        created = over_php(
            "create",
            subscriber={
                "mode": 1,
                "customer": {"name": "Hedy Lamarr"},
                "resource": {"msisdn": MSISDN},
                "price_plan": "EASY",
                "balance": {"amount_micros": OPENING_MICROS},
                # Diameter counts whole seconds: a moment ago would be before it.
                "activated_at": int(utc_now().timestamp()) - 3600,
            },
        )
        subscriber = Subscriber.objects.get(customer__name="Hedy Lamarr")
        number = int(created["id"])
        assert number == subscriber.pk == over_rest(f"subscribers?msisdn={MSISDN}")["items"][0]["id"]

        # She sends a message and talks for two minutes.
        used = [{"Used-Service-Unit": [{"CC-Time": 120}], "Requested-Service-Unit": {"CC-Time": 60}}]
        answers = credit_control(
            gy,
            ccr(
                4, 0, "sms", SMS, Requested_Action=0, Requested_Service_Unit={"CC-Service-Specific-Units": 1}
            ),
            ccr(
                1,
                0,
                "call",
                VOICE,
                Multiple_Services_Credit_Control=[{"Requested-Service-Unit": {"CC-Time": 120}}],
            ),
            ccr(2, 1, "call", VOICE, Multiple_Services_Credit_Control=used),
        )
        assert [answer["Result-Code"] for answer in answers] == [2001, 2001, 2001]
        left = OPENING_MICROS - SMS_MICROS - 2 * MINUTE_MICROS
        assert agreed_balance(over_php, over_rest, admin_client, subscriber) == left

        # Staff suspend her in the admin: the network gives no more credit, and each door says so.
        page = reverse("admin:subscribers_subscriber_do", args=(subscriber.pk, "suspend"))
        assert admin_client.post(page).status_code == 302
        assert over_php("show", id=number)["status"] == "SUBSCRIBER_STATUS_SUSPENDED"
        assert over_rest(f"subscribers/{number}")["status"] == "suspended"
        assert "Suspended" in text_of(admin_client, "subscribers_subscriber", subscriber.pk)
        # The call is ended; it had used nothing more.
        closed, refused = credit_control(
            gy,
            ccr(3, 2, "call", VOICE),
            ccr(
                4, 0, "late", SMS, Requested_Action=0, Requested_Service_Unit={"CC-Service-Specific-Units": 1}
            ),
        )
        assert (closed["Result-Code"], refused["Result-Code"]) == (2001, 4010)

        # The CRM ends the contract: her debt is billed at once, her balance is on the statement.
        ended = over_php("terminate", id=number)
        assert MSISDN in str(ended["released"])
        run_activity(int(ended["activityId"]), utc_now())
        by_php = over_php("bill", id=number)["bill"]

    stored = Bill.objects.get()
    by_rest = over_rest(f"bills/{by_php['id']}")
    assert (
        (int(by_php["id"]), by_php["number"])
        == (stored.pk, stored.number)
        == (by_rest["id"], by_rest["number"])
    )
    assert int(by_php["closingBalanceMicros"]) == by_rest["closing_balance_micros"] == left
    assert by_rest["opening_balance_micros"] == int(by_php.get("openingBalanceMicros", 0))
    lines = [(line["description"], int(line.get("amountMicros", 0))) for line in by_php.get("lines", [])]
    assert lines == [(line["description"], line["amount_micros"]) for line in by_rest["lines"]]
    page = text_of(admin_client, "billing_bill", stored.pk)
    assert stored.number in page
    assert format_micros(left, 2) in page
    assert not ChargingSession.objects.filter(status="open").exists()
    charged = LedgerEntry.objects.filter(kind="usage").values_list("amount_micros", flat=True)
    assert sum(charged) == left - OPENING_MICROS
    assert list(differences()) == []


def agreed_balance(over_php: Any, over_rest: Any, admin: Client, subscriber: Subscriber) -> int:
    """The balance that all three doors show."""
    account = subscriber.payer.account
    by_php = int(over_php("show", id=subscriber.pk)["balance"]["amountMicros"])
    (by_rest,) = over_rest(f"accounts/{account.pk}/balances")
    assert by_php == by_rest["amount_micros"]
    assert format_micros(by_php, 2) in text_of(admin, "charging_account", account.pk)
    return by_php


def text_of(admin: Client, model: str, pk: int) -> str:
    """A page of the admin, as text."""
    answer = admin.get(reverse(f"admin:{model}_change", args=(pk,)))
    assert answer.status_code == 200
    return answer.content.decode()
