"""What records were charged and would be by another tariff, added up by group and by account. No database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import NamedTuple
from zlib import crc32

from apps.kernel.errors import BssError
from apps.rating.domain import Rater, Usage

_new_usage: Callable[[type[Usage], tuple[object, ...]], Usage] = tuple.__new__

PricedAs = tuple[str, str, str, str]
"""Tenant, category, subject and type of record: how a Usage begins."""


class PastRecord(NamedTuple):
    """A rated record; usage in seconds, octets or events."""

    account_id: int
    subscriber_id: int
    price_plan_id: int
    service_id: int
    destination_id: int
    start: str
    other_party: str
    usage: int
    free_usage: int
    cost_micros: int
    cdr_id: int


class Group(NamedTuple):
    """What sums are of: service, price plan and destination, as the records were charged."""

    service_id: int
    price_plan_id: int
    destination_id: int


# Places in a list of sums.
RECORDS, REFUSED, FREE_BEFORE, FREE_AFTER, BEFORE, AFTER, COST = range(7)
Sums = list[int]


def in_sample(account_id: int, percent: int, seed: str) -> bool:
    """Whether a sample of so many per cent of the accounts has this one; the same seed takes the same ones."""
    return percent >= 100 or crc32(f"{seed}:{account_id}".encode()) % 100 < percent


def price_without_units(
    records: Iterable[PastRecord],
    rater: Rater,
    priced_as: Mapping[tuple[int, int], PricedAs],
    instant: Callable[[str], datetime],
    groups: dict[Group, Sums],
    of_account: Sums,
) -> None:
    """Add records that no free units serve; in any order, since each is priced by itself."""
    rate = rater.rate
    count = refused = free = still_free = before = after = 0
    for _, _, plan, service, destination, start, other_party, usage, free_usage, cost, _ in records:
        key = (service, plan, destination)
        sums = groups.get(key)  # type: ignore[call-overload]
        if sums is None:
            sums = groups[Group(*key)] = [0] * 7
        try:
            price = rate(_new_usage(Usage, (*priced_as[plan, service], other_party, instant(start), usage)))[
                0
            ]
        except (BssError, KeyError):
            price = cost
            refused += 1
            sums[REFUSED] += 1
            sums[FREE_AFTER] += free_usage
            still_free += free_usage
        count += 1
        free += free_usage
        before += cost
        after += price
        sums[RECORDS] += 1
        sums[FREE_BEFORE] += free_usage
        sums[BEFORE] += cost
        sums[AFTER] += price
    of_account[RECORDS] += count
    of_account[REFUSED] += refused
    of_account[FREE_BEFORE] += free
    of_account[FREE_AFTER] += still_free
    of_account[BEFORE] += before
    of_account[AFTER] += after


def add_priced(
    record: PastRecord, after: tuple[int, int] | None, groups: dict[Group, Sums], of_account: Sums
) -> None:
    """Add one record with what it would cost and how much of it would be free; None: it cannot be priced."""
    key = Group(record.service_id, record.price_plan_id, record.destination_id)
    sums = groups.setdefault(key, [0] * 7)
    cost, free = after if after is not None else (record.cost_micros, record.free_usage)
    for each in (sums, of_account):
        each[RECORDS] += 1
        each[REFUSED] += after is None
        each[FREE_BEFORE] += record.free_usage
        each[FREE_AFTER] += free
        each[BEFORE] += record.cost_micros
        each[AFTER] += cost


def as_charged(records: Sequence[PastRecord]) -> list[PastRecord]:
    """In the order in which they were charged: a batch gives ids in its order."""
    return sorted(records, key=itemgetter(-1))
