"""The differences between what records were charged and what they are charged by another tariff version."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from apps.charging.domain.lines import CounterKey
from apps.charging.domain.recharging import StoredPayer, StoredUsage, recharge
from apps.charging.domain.usage_book import UsageBook
from apps.mediation.domain.charges import Charge, ChargeChange
from apps.rating.domain import Rater


class StoredRecord(NamedTuple):
    """A rated record as it is stored; usage in seconds, octets or events."""

    cdr_id: int
    file_id: int
    account_id: int
    subscriber_id: int
    service_id: int
    price_plan_id: int
    start: datetime
    other_party: str
    usage: int
    destination: str
    free_usage: int
    billed_usage: int
    cost_micros: int

    @property
    def payer(self) -> StoredPayer:
        return StoredPayer(self.subscriber_id, self.account_id, self.price_plan_id)


@dataclass(slots=True)
class Sums:
    """Of some records: free and billed usage, and their cost, before and after."""

    records: int = 0
    free_before: int = 0
    free_after: int = 0
    billed_before: int = 0
    billed_after: int = 0
    cost_before_micros: int = 0
    cost_after_micros: int = 0

    def add_before(self, charge: Charge) -> None:
        self.free_before += charge.free_usage
        self.billed_before += charge.billed_usage
        self.cost_before_micros += charge.cost_micros

    def add_after(self, charge: Charge) -> None:
        self.free_after += charge.free_usage
        self.billed_after += charge.billed_usage
        self.cost_after_micros += charge.cost_micros


class DifferenceKey(NamedTuple):
    """What differences are shown by."""

    service_id: int
    price_plan_id: int
    destination: str


@dataclass(slots=True)
class AccountDifference:
    """What another tariff version makes of an account's records."""

    records: int = 0
    sums: Sums = field(default_factory=Sums)
    """Of all of them; ``records`` of it are those that change."""
    by_destination: dict[DifferenceKey, Sums] = field(default_factory=lambda: defaultdict(Sums))
    """Of those that change. One whose destination changes too is in both: its old price here, its new one there."""
    changes: list[ChargeChange] = field(default_factory=list)
    counters: dict[CounterKey, int] = field(default_factory=dict)
    """What is added to each counter of free units."""
    counter_rows: Mapping[CounterKey, int] = field(default_factory=dict)
    """The rows of the counters that there are."""
    refused: Counter[str] = field(default_factory=Counter)

    @property
    def digest(self) -> str:
        """Equal for equal changes: what was simulated is what is applied, or the account is simulated again."""
        hashed = hashlib.sha256()
        for change in self.changes:
            hashed.update(repr((change.cdr_id, *change.before, *change.after)).encode())
        return hashed.hexdigest()


def compare(
    records: Sequence[StoredRecord],
    codes: Mapping[int, str],
    book: UsageBook,
    rater: Rater,
    online: Mapping[CounterKey, int],
) -> AccountDifference:
    """Charge an account's records again, in the order in which they were charged; ``codes`` are those of services."""
    found = AccountDifference(records=len(records))
    again = recharge(
        [
            StoredUsage(
                record.payer,
                codes.get(record.service_id, ""),
                record.other_party,
                record.start,
                record.usage,
                record.free_usage,
            )
            for record in records
        ],
        book,
        rater,
        online,
    )
    found.counters, found.refused = again.counters, again.refused
    for record, rated in zip(records, again.rated, strict=True):
        before = Charge(record.destination, record.free_usage, record.billed_usage, record.cost_micros)
        after = before
        if rated is not None:
            after = Charge(rated.destination, rated.free_usage, rated.billed_usage, rated.cost_micros)
        found.sums.add_before(before)
        found.sums.add_after(after)
        if after == before:
            continue
        found.sums.records += 1
        found.changes.append(
            ChargeChange(
                record.cdr_id,
                record.account_id,
                record.file_id,
                record.subscriber_id,
                record.service_id,
                record.price_plan_id,
                record.start,
                before,
                after,
            )
        )
        old = found.by_destination[DifferenceKey(record.service_id, record.price_plan_id, before.destination)]
        new = found.by_destination[DifferenceKey(record.service_id, record.price_plan_id, after.destination)]
        old.add_before(before)
        new.add_after(after)
        new.records += 1
    return found


class DayMoney(NamedTuple):
    """What records of one local day cost more, and when the last of them started."""

    day: date
    last_start: datetime
    added_micros: int


def money_by_day(changes: Iterable[ChargeChange], zone: ZoneInfo) -> list[DayMoney]:
    """What prepaid usage costs more (negative: less) by local day, as the debits of files are."""
    found: dict[date, DayMoney] = {}
    for change in changes:
        day = change.start.astimezone(zone).date()
        known = found.get(day, DayMoney(day, change.start, 0))
        found[day] = DayMoney(
            day, max(known.last_start, change.start), known.added_micros + change.added_micros
        )
    return [money for _, money in sorted(found.items()) if money.added_micros]
