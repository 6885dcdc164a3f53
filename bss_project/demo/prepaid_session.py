"""The end of the demonstration: a prepaid customer's data session over Diameter Gy, until the money is gone."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from apps.billing.services.onboarding import onboard
from apps.charging.models import DEFAULT_BALANCE, Account, Balance
from apps.charging.services.ledger import post
from apps.diameter.load.client import GatewayClient
from apps.diameter.load.scenarios import Conversation, Gateway, Party, data_session
from apps.diameter.worker.configuration import node_for
from apps.kernel.periods import Period
from apps.rating.models import Tenant
from apps.subscribers.models import Subscriber
from bss_project.demo.people import invented_lines, msisdn_of

# Apart from the others, so that any number of them may be invented.
NUMBER = 999_999
PURSE_MICROS = 500_000
ASKED_OCTETS = 20_000_000
REQUESTS = {1: "initial", 2: "update", 3: "terminate"}
# Each update uses up its grant; this is only so that a mistake ends.
MOST_UPDATES = 100


@dataclass(frozen=True, slots=True)
class Step:
    """One request and its answer: octets used, octets granted, what the answer said, micro-units left."""

    request: str
    used: int
    granted: int
    answer: str
    balance_micros: int


def ensure_customer(tenant: Tenant, billed: Period, now: datetime) -> Account:
    """A prepaid customer on “Prepaid Easy” whose purse holds half a euro again."""
    (line,) = invented_lines(NUMBER, NUMBER, tenant.code, 4, billed)
    if not Subscriber.objects.filter(tenant=tenant, number=line.subscriber_number).exists():
        pia = replace(
            line,
            customer_name="Pia Prepaid",
            kind="person",
            mode="prepaid",
            price_plan="PREPAID_EASY",
            bundles=(),
            opening_balance_micros=0,
            start=now,
        )
        onboard([pia], now)
    account = Account.objects.get(tenant=tenant, number=line.account)
    missing = PURSE_MICROS - balance_of(account)
    if missing > 0:
        cause = f"demo-purse:{account.pk}:{now:%Y%m%dT%H%M%S}"
        post(
            account,
            missing,
            kind="top_up",
            book="cash",
            cause=cause,
            at=now,
            note="Top-up for the demonstration",
        )
    return account


def balance_of(account: Account) -> int:
    """What the default balance holds, micro-units."""
    found = Balance.objects.filter(account=account, tag=DEFAULT_BALANCE).values_list(
        "amount_micros", flat=True
    )
    return found.first() or 0


def play(account: Account, host: str, port: int, realm: str, now: datetime) -> list[Step]:
    """Use data until the server grants no more; every request and answer goes over a real connection."""
    return asyncio.run(_play(account, host, port, realm, now))


async def _play(account: Account, host: str, port: int, realm: str, now: datetime) -> list[Step]:
    gateway = Gateway(
        origin_host="pgw.demo.example",
        origin_realm="demo.example",
        destination_realm=realm,
        updates=MOST_UPDATES,
        octets=ASKED_OCTETS,
        ask=ASKED_OCTETS,
        rating_groups=(10,),
    )
    client = GatewayClient(node_for(gateway.origin_host, gateway.origin_realm, "127.0.0.1"))
    await client.connect(host, port)
    try:
        session_id = f"{gateway.origin_host};{int(now.timestamp())};1"
        conversation = data_session(gateway, Party(msisdn_of(NUMBER)), session_id, int(now.timestamp()))
        return await _converse(client, conversation, account)
    finally:
        await client.leave()


async def _converse(client: GatewayClient, conversation: Conversation, account: Account) -> list[Step]:
    steps: list[Step] = []
    request = next(conversation)
    while True:
        answer = (await client.request(request)).avps
        balance = await asyncio.to_thread(_balance_in_a_thread, account)
        steps.append(_step(request, answer, balance))
        try:
            request = conversation.send(answer)
        except StopIteration:
            return steps


def _balance_in_a_thread(account: Account) -> int:
    from django.db import connection

    try:
        return balance_of(account)
    finally:
        connection.close()


def _step(request: dict[str, Any], answer: dict[str, Any], balance_micros: int) -> Step:
    used = sum(
        unit.get("CC-Total-Octets", 0)
        for group in request.get("Multiple-Services-Credit-Control", ())
        for unit in group.get("Used-Service-Unit", ())
    )
    groups = answer.get("Multiple-Services-Credit-Control", ())
    granted = sum(group.get("Granted-Service-Unit", {}).get("CC-Total-Octets", 0) for group in groups)
    final = any("Final-Unit-Indication" in group for group in groups)
    codes = [group.get("Result-Code") for group in groups if group.get("Result-Code") not in (None, 2001)]
    text = str(codes[0] if codes else answer["Result-Code"])
    return Step(
        REQUESTS[int(request["CC-Request-Type"])],
        used,
        granted,
        text + (", the last units" if final else ""),
        balance_micros,
    )
