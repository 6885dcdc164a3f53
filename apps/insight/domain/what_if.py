"""What records were charged and would be by another tariff, added up by group and by account. No database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import NamedTuple
from zlib import crc32

from apps.kernel.errors import BssError
from apps.rating.domain import Rater, Usage
from apps.rating.domain.flat import whole_cost
from apps.rating.domain.rater import KnownPrice
from apps.rating.domain.rates import CompiledRate

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


# From and to when (as records have it) and up to which amount a price is known, the rate, and the price itself.
_Price = tuple[str, str, int, CompiledRate | None, KnownPrice]
# The sums of a group, how its Usage begins (None: by nothing), and its prices by prefix.
_Known = tuple[Sums, PricedAs | None, dict[str, _Price]]


class Prices:
    """The other tariff, and what is known of its prices by now.

    ``instant`` reads a record's start, and ``text`` writes one in the form of a start, so that texts compare as times.
    """

    def __init__(
        self, rater: Rater, instant: Callable[[str], datetime], text: Callable[[datetime], str]
    ) -> None:
        self.rater, self.instant, self.text = rater, instant, text
        self.known: dict[PricedAs | None, dict[str, _Price]] = defaultdict(dict)

    def known_price(self, priced_as: PricedAs, other_party: str, start: str) -> _Price:
        found = self.rater.known_price(Usage(*priced_as, other_party, self.instant(start), 1))
        return self.text(found.first), self.text(found.last), found.longest, found.rate, found

    def cost(self, priced_as: PricedAs, other_party: str, start: str, usage: int) -> int | None:
        """By the Rater itself; None: there is no price."""
        instant = self.instant(start)
        try:
            return self.rater.rate(_new_usage(Usage, (*priced_as, other_party, instant, usage))).cost_micros
        except BssError:
            return None


class Pricing:
    """Prices records that no free units serve, and adds them up by group; all are in one currency."""

    def __init__(self, prices: Prices, priced_as: Mapping[tuple[int, int], PricedAs]) -> None:
        self.prices, self.priced_as = prices, priced_as
        self.groups: dict[Group, Sums] = {}
        self._known: dict[tuple[int, int, int], _Known] = {}

    def add(self, records: Iterable[PastRecord], of_account: Sums) -> None:
        """Add records of an account; in any order, since each is priced by itself."""
        known, prices = self._known, self.prices
        prefix_of, instant = prices.rater.matched_prefix, prices.instant
        count = refused = free = still_free = before = after = 0
        for _, _, plan, service, destination, start, other_party, usage, free_usage, cost, _ in records:
            key = (service, plan, destination)
            sums, priced_as, by_prefix = known.get(key) or self._first_of(key)
            price: int | None = None
            if priced_as is not None:
                prefix = prefix_of(other_party)
                try:
                    first, last, longest, rate, at = by_prefix[prefix]
                except KeyError:
                    by_prefix[prefix] = found = prices.known_price(priced_as, other_party, start)
                    first, last, longest, rate, at = found
                if first <= start <= last and 0 < usage <= longest:
                    price = whole_cost(rate, usage) if rate else at.cost(instant(start), usage)
                if price is None:
                    price = prices.cost(priced_as, other_party, start, usage)
            if price is None:
                price = cost
                refused += 1
                sums[REFUSED] += 1
                sums[FREE_AFTER] += free_usage
                still_free += free_usage
            if free_usage:
                free += free_usage
                sums[FREE_BEFORE] += free_usage
            count += 1
            before += cost
            after += price
            sums[RECORDS] += 1
            sums[BEFORE] += cost
            sums[AFTER] += price
        of_account[RECORDS] += count
        of_account[REFUSED] += refused
        of_account[FREE_BEFORE] += free
        of_account[FREE_AFTER] += still_free
        of_account[BEFORE] += before
        of_account[AFTER] += after

    def _first_of(self, key: tuple[int, int, int]) -> _Known:
        service, plan, _ = key
        sums = self.groups.setdefault(Group(*key), [0] * 7)
        priced_as = self.priced_as.get((plan, service))
        found = self._known[key] = sums, priced_as, self.prices.known[priced_as]
        return found


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
