"""Bills as plain values, for tests of the document: always the same for the same arguments."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from apps.invoicing.domain.bill_data import (
    BillData,
    Issuer,
    Line,
    Movement,
    Recipient,
    ServiceInfo,
    UsageRecord,
)
from apps.invoicing.domain.history import UsageHistory
from apps.kernel.currencies import payable_micros

BERLIN = ZoneInfo("Europe/Berlin")
JANUARY = (datetime(2025, 12, 31, 23, tzinfo=UTC), datetime(2026, 1, 31, 23, tzinfo=UTC))
SERVICES = {
    1: ServiceInfo("voice", "Voice", "voice", 60, "min"),
    2: ServiceInfo("sms", "SMS", "sms", 1, "SMS"),
    3: ServiceInfo("data", "Data", "data", 1_048_576, "MB"),
}
ISSUER = Issuer(
    name="Nordlicht Mobil GmbH",
    address="Hafenstraße 12\n24103 Kiel\nGermany",
    tax_number="DE000000000",
    contact="service@nordlicht.example · +49 431 0000000",
    payment_details="IBAN DE00 0000 0000 0000 0000 00 · BIC XXXXDEXX",
)
RECIPIENT = Recipient("C-100042", "Elisabeth Ångström", "Lange Straße 7", "20095", "Hamburg", "DE")


def records(count: int, *, subscribers: int = 1, seed: int = 1) -> list[UsageRecord]:
    """Usage of January in order of time, a third of the calls free."""
    random = Random(seed)
    start, end = JANUARY
    seconds = int((end - start).total_seconds())
    found = []
    for at in sorted(random.randrange(seconds) for _ in range(count)):
        service = random.choices((1, 2, 3), (6, 2, 2))[0]
        if service == 1:
            usage, place = (
                random.randrange(5, 1500),
                random.choice(("DE_MOBILE", "DE_FIXED", "FR_MOBILE", "US_FIXED")),
            )
            free = usage if random.random() < 0.3 else 0
            cost = 0 if free else usage * random.choice((500, 1500, 4900))
        elif service == 2:
            usage, place, free, cost = 1, random.choice(("DE_MOBILE", "CH_MOBILE")), 0, 90_000
        else:
            usage, place, free = random.randrange(1_000, 90_000_000), "*any", 0
            cost = usage // 10_240 * 200
        party = "internet.nordlicht" if service == 3 else f"49{random.randrange(10**9, 10**10)}"
        found.append(
            UsageRecord(
                1 + random.randrange(subscribers),
                service,
                start + timedelta(seconds=at),
                party,
                place,
                usage,
                free,
                cost,
            )
        )
    return found


def cents(micros: int) -> int:
    return payable_micros(micros, "EUR")


def usage_lines(found: list[UsageRecord]) -> list[Line]:
    sums: dict[tuple[int, int, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for record in found:
        total = sums[record.subscriber_id, record.service_id, record.destination]
        for index, value in enumerate((1, record.usage, record.free_usage, record.cost_micros)):
            total[index] += value
    return [
        Line("usage", "", cents(cost), subscriber, service, place, count, usage, free, exact_micros=cost)
        for (subscriber, service, place), (count, usage, free, cost) in sorted(sums.items())
    ]


def history_of(found: list[UsageRecord], limit: int = 5_000) -> UsageHistory:
    history = UsageHistory(limit, BERLIN)
    history.add(found)
    return history


def postpaid_bill(found: list[UsageRecord], *, locale: str = "en_GB", **changes: Any) -> BillData:
    """A postpaid bill: fee, usage, a one-off charge, a discount and VAT."""
    lines = [
        Line("recurring", "Postpaid Start", 9_990_000, 1, period_start=JANUARY[0], period_end=JANUARY[1]),
        Line(
            "recurring",
            "2 GB extra",
            2_250_000,
            1,
            period_start=JANUARY[0] + timedelta(days=17),
            period_end=JANUARY[1],
        ),
        *usage_lines(found),
        Line("one_off", "SIM card replaced", 12_500_000, 1),
    ]
    usage = sum(line.amount_micros for line in lines if line.kind == "usage")
    if usage:
        lines.append(
            Line("discount", "Loyalty", -cents(usage // 20), None, rate_millionths=50_000, base_micros=usage)
        )
    net = sum(line.amount_micros for line in lines)
    tax = cents(net * 19 // 100)
    lines.append(Line("tax", "VAT", tax, rate_millionths=190_000, base_micros=net))
    total = net + tax
    values: dict[str, Any] = {
        "id": 4711,
        "number": "2026-0004711",
        "kind": "postpaid",
        "issuer": ISSUER,
        "recipient": RECIPIENT,
        "account_number": "A-200042",
        "currency": "EUR",
        "locale": locale,
        "zone": BERLIN,
        "cycle_zone": BERLIN,
        "period_start": JANUARY[0],
        "period_end": JANUARY[1],
        "issued_on": date(2026, 2, 1),
        "due_on": date(2026, 2, 15),
        "total_micros": total,
        "lines": tuple(lines),
        "services": SERVICES,
        "subscribers": {number: f"+49 151 1000000{number}" for number in range(1, 10)},
    }
    return BillData(**{**values, **changes})


def prepaid_bill(found: list[UsageRecord], *, locale: str = "en_GB", **changes: Any) -> BillData:
    """A prepaid statement: usage, a fee, and the balance from the opening to the closing."""
    lines = (
        Line("recurring", "Prepaid Smart", 7_990_000, 1, period_start=JANUARY[0], period_end=JANUARY[1]),
        *usage_lines(found),
    )
    usage = sum(line.exact for line in lines if line.kind == "usage")
    third, opening = usage // 3, 34_730_000
    movements = (
        Movement(JANUARY[0] + timedelta(days=2, hours=9), "usage", "", -third),
        Movement(JANUARY[0] + timedelta(days=9, hours=11), "top_up", "Voucher 4003", 25_000_000),
        Movement(JANUARY[0] + timedelta(days=13, hours=1), "usage", "", -third),
        Movement(JANUARY[0] + timedelta(days=29, hours=7), "usage", "", -(usage - 2 * third)),
        Movement(JANUARY[1] - timedelta(seconds=1), "fee", "Prepaid Smart", -7_990_000),
    )
    changes = {
        "kind": "prepaid",
        "due_on": None,
        "lines": lines,
        "total_micros": sum(line.amount_micros for line in lines),
        "opening_balance_micros": opening,
        "closing_balance_micros": opening + sum(movement.amount_micros for movement in movements),
        "movements": movements,
        **changes,
    }
    return postpaid_bill(found, locale=locale, **changes)
