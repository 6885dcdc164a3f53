"""Bills in the database, made by real bill runs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from django.db import transaction

from apps.billing.models import Bill, BillCycle
from apps.charging.models import LedgerBook, LedgerEntry
from apps.charging.services.ledger import Movement, post_movements
from tests.billing.scenes import Usage, at, month, people, run, store
from tests.factories import make_plan

NOW = at(2, 1, 6)


def usage_of(subscriber, records: int, seed: int = 0) -> Iterator[Usage]:
    """A month's records: calls, messages, and data, some free; amounts down to a ten-thousandth."""
    for index in range(records):
        start = at(1, 2) + timedelta(minutes=37 * index + seed)
        kind = index % 4
        if kind == 3:
            yield Usage(subscriber, start, 12_300 + index * 100, "data", "*any", 5_000_000 + index, 0)
        elif kind == 2:
            yield Usage(subscriber, start, 90_000, "sms", "FR_MOBILE", 1, 0)
        else:
            free = 60 if index % 5 == 0 else 0
            yield Usage(
                subscriber, start, 0 if free else 43_700 + index * 100, "voice", "DE_MOBILE", 60 + index, free
            )


def new_bills(postpaid: int = 2, prepaid: int = 0, records: int = 12) -> list[Bill]:
    """NEW bills of January: so many postpaid ones (with a monthly fee), then prepaid ones."""
    plan = make_plan("FEE", fee_micros=9_990_000)
    found = people(postpaid, plan=plan) if postpaid else []
    if prepaid:
        payg = people(
            prepaid, plan=plan, first=postpaid + 1, mode="prepaid", opening_balance_micros=30_000_000
        )
        found += payg
        with transaction.atomic():
            post_movements(
                [
                    Movement(
                        subscriber.payer.account_id,
                        at(1, 10),
                        25_000_000,
                        LedgerEntry.Kind.TOP_UP,
                        LedgerBook.Code.CASH,
                        f"voucher:{subscriber.pk}",
                        "Voucher 4003",
                    )
                    for subscriber in payg
                ]
            )
    store(usage for number, subscriber in enumerate(found) for usage in usage_of(subscriber, records, number))
    cycle = BillCycle.objects.get(number=1)
    run(cycle, month(1, cycle), at(2, 1, 1))
    return list(Bill.objects.order_by("pk"))


def clock_at(instant: datetime):
    return lambda: instant


def files_in(folder: Path) -> list[str]:
    """Every file below the folder, by its path within it."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
