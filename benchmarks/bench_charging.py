"""Charging requests a second by the batch executor, against a transaction a request; the latency of each.

Clients are a closed loop: each sends its next request when it has its answer, as a gateway with that many
sessions does. Every one runs data sessions (initial, updates, termination) and SMS events on accounts of
its own choice among all.
"""

from __future__ import annotations

import queue
import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from benchmarks.protocol import Measurement, Setup

TITLE = "Charging requests"
DATABASES = ("mariadb", "sqlite")

ACCOUNTS = 10_000
REQUESTS = 60_000
CLIENTS = 512
FEW_CLIENTS = 32
MIB = 1024 * 1024
OPENING_MICROS = 10**12
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


class Run(NamedTuple):
    """What a closed loop took: requests, seconds, and the sorted latencies in seconds."""

    requests: int
    seconds: float
    latencies_s: list[float]

    @property
    def rate(self) -> float:
        return self.requests / self.seconds

    def percentile_ms(self, percent: float) -> float:
        return (
            1_000
            * self.latencies_s[min(int(len(self.latencies_s) * percent / 100), len(self.latencies_s) - 1)]
        )


def main(setup: Setup) -> list[Measurement]:
    from apps.charging.services.executor import BatchExecutor

    accounts = max(setup.scaled(ACCOUNTS), 100)
    requests = max(setup.scaled(REQUESTS), 2_000)
    _subscribers(accounts)
    loop = ClosedLoop(accounts)
    with BatchExecutor() as executor:
        loop.run(executor, requests // 10, CLIENTS)
        with setup.measure() as timing:
            batched = loop.run(executor, requests, CLIENTS)
        few = loop.run(executor, requests // 2, FEW_CLIENTS)
        lone = loop.run(executor, requests // 30, 1)
    unwatched, watched = _with_and_without_a_counter(loop, requests // 4)
    with BatchExecutor(batch_size=1) as executor:
        single = loop.run(executor, requests // 6, CLIENTS)
    _check_the_books(loop)
    return [
        Measurement(
            f"batches, {CLIENTS} clients",
            batched.rate,
            "requests/s",
            timing.peak_mb,
            against="a transaction a request",
            baseline=single.rate,
            # SQLite commits without waiting for the disk (WAL), so batches save it less.
            ratio_at_least=5.0 if setup.database == "mariadb" else None,
        ),
        Measurement(f"p50 of {CLIENTS} clients", batched.percentile_ms(50), "ms", timing.peak_mb),
        Measurement(f"p99 of {CLIENTS} clients", batched.percentile_ms(99), "ms", timing.peak_mb),
        Measurement(f"batches, {FEW_CLIENTS} clients", few.rate, "requests/s", timing.peak_mb),
        Measurement(f"p99 of {FEW_CLIENTS} clients", few.percentile_ms(99), "ms", timing.peak_mb),
        Measurement(
            "accounts watched by a counter",
            watched,
            "requests/s",
            timing.peak_mb,
            against="accounts that no trigger watches",
            baseline=unwatched,
            # A watched account costs 1.1 times an unwatched one at most.
            ratio_at_least=0.91,
        ),
        Measurement("one client", lone.rate, "requests/s", timing.peak_mb),
        Measurement("p50 of one client", lone.percentile_ms(50), "ms", timing.peak_mb),
    ]


def _with_and_without_a_counter(loop: ClosedLoop, requests: int) -> tuple[float, float]:
    """Requests a second without a trigger and with one that counts every account's data, in turn: the better of two."""
    from apps.charging.models import TriggerState
    from apps.charging.services.executor import BatchExecutor
    from apps.charging.services.trigger_settings import make_trigger
    from apps.rating.models import Tenant

    tenant = Tenant.objects.get(code="default")
    counter = make_trigger(
        tenant, "data", "max_event_counter", balance_kind="data", threshold_units=1 << 50, enabled=False
    )
    rates: dict[bool, float] = {False: 0.0, True: 0.0}
    for enabled in (False, True, False, True):
        counter.enabled = enabled
        counter.save()
        with BatchExecutor() as executor:
            loop.run(executor, requests // 4, CLIENTS)
            rates[enabled] = max(rates[enabled], loop.run(executor, requests, CLIENTS).rate)
    counter.enabled = False
    counter.save()
    if not TriggerState.objects.filter(trigger=counter, counted__gt=0).exists():
        raise RuntimeError("the counter has counted nothing")
    return rates[False], rates[True]


class _Client:
    """One client and its progress in its session."""

    __slots__ = ("msisdn", "number", "sent_at", "session", "step")

    def __init__(self) -> None:
        self.step = self.number = 0
        self.msisdn = self.session = ""
        self.sent_at = 0.0


class ClosedLoop:
    """Keeps so many clients busy with one request each; counts the charges."""

    def __init__(self, accounts: int, seed: int = 1) -> None:
        from apps.charging.domain.requests import Operation, RequestItem, Result, Units, UsedUnits

        self.msisdns = [_msisdn(number) for number in range(accounts)]
        self.random = random.Random(seed)
        self.replies: queue.SimpleQueue[Sequence[tuple[_Client, object]]] = queue.SimpleQueue()
        self.sessions = 0
        self.cost_micros = 0
        self.success = Result.SUCCESS
        self.operations = Operation
        quota, used = Units(total_octets=4 * MIB), (UsedUnits(Units(total_octets=3 * MIB)),)
        self.ask = (RequestItem("data", "", quota, (), 10),)
        self.report = (RequestItem("data", "", quota, used, 10),)
        self.finish = (RequestItem("data", "", None, used, 10),)
        self.sms = (RequestItem("sms", "4930123456", Units(service_specific=1)),)

    def deliver(self, replies: Sequence[tuple[_Client, object]]) -> None:
        self.replies.put(replies)

    def run(self, executor, requests: int, clients: int) -> Run:
        latencies: list[float] = []
        began = time.perf_counter()
        sent = 0
        for _ in range(min(clients, requests)):
            self._send(executor, _Client())
            sent += 1
        while len(latencies) < requests:
            for client, answer in self.replies.get():
                latencies.append(time.perf_counter() - client.sent_at)
                if getattr(answer, "result", None) is not self.success:
                    raise RuntimeError(f"a request failed: {answer}")
                self.cost_micros += answer.cost_micros
                if sent < requests:
                    self._send(executor, client)
                    sent += 1
        seconds = time.perf_counter() - began
        return Run(requests, seconds, sorted(latencies))

    def _send(self, executor, client: _Client) -> None:
        from apps.charging.domain.requests import OnlineRequest

        operations = self.operations
        if client.step == 0:
            self.sessions += 1
            client.session = f"bench.example;{self.sessions}"
            client.msisdn = self.random.choice(self.msisdns)
            client.number = 0
            if self.random.random() < 0.25:
                operation, items = operations.EVENT, self.sms
            else:
                operation, items, client.step = operations.INITIATE, self.ask, 1
        elif client.step < 3:
            operation, items, client.step = operations.UPDATE, self.report, client.step + 1
        else:
            operation, items, client.step = operations.TERMINATE, self.finish, 0
        number, client.number = client.number, client.number + 1
        now = datetime.now(UTC)
        client.sent_at = time.perf_counter()
        request = OnlineRequest(operation, client.session, number, now, client.msisdn, "", items, 0, "bench")
        executor.submit([(request, client)], self)


def _msisdn(number: int) -> str:
    return str(4915550000000 + number)


def _subscribers(count: int) -> None:
    """Prepaid subscribers, an account each, on a plan that the Rater prices by the unit."""
    from apps.billing.domain.onboarding import NewLine
    from apps.billing.models import BillCycle
    from apps.billing.services.onboarding import onboard
    from apps.rating.models import PricePlan, PricePlanService, Tenant
    from apps.rating.services.publishing import publish
    from apps.rating.services.standard_services import ensure_standard_services

    tenant, _ = Tenant.objects.get_or_create(code="default")
    services = {service.code: service for service in ensure_standard_services()}
    plan = PricePlan.objects.create(tenant=tenant, code="BENCH", name="Bench", currency="EUR")
    for code, price in (("voice", 60_000), ("sms", 50_000), ("data", 10_000)):
        PricePlanService.objects.create(price_plan=plan, service=services[code], price_micros=price)
    BillCycle.objects.get_or_create(
        number=1, defaults={"tenant": tenant, "day": 1, "time_zone": "UTC", "currency": "EUR"}
    )
    publish(LONG_AGO)
    lines = [
        NewLine(
            "default",
            f"C{number}",
            f"Customer {number}",
            f"S{number}",
            _msisdn(number),
            "prepaid",
            "BENCH",
            1,
            LONG_AGO,
            opening_balance_micros=OPENING_MICROS,
        )
        for number in range(count)
    ]
    for first in range(0, count, 2_000):
        onboard(lines[first : first + 2_000], LONG_AGO)


def _check_the_books(loop: ClosedLoop) -> None:
    """The debits equal the answers, and every balance is the sum of its entries."""
    from django.db.models import Sum

    from apps.charging.models import Balance, LedgerEntry

    debited = -(LedgerEntry.objects.filter(kind="usage").aggregate(total=Sum("amount_micros"))["total"] or 0)
    booked = LedgerEntry.objects.aggregate(total=Sum("amount_micros"))["total"]
    held = Balance.objects.aggregate(total=Sum("amount_micros"))["total"]
    if debited != loop.cost_micros or booked != held:
        raise RuntimeError(
            f"the books are wrong: {debited} debited, {loop.cost_micros} answered, {booked} ≠ {held}"
        )
