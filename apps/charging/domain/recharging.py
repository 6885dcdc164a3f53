"""Charge stored records again with a usage book: what they had is given back first, then they take in their order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from apps.charging.domain.lines import CounterKey
from apps.charging.domain.usage_book import UsageBook
from apps.kernel.errors import BssError
from apps.kernel.periods import month_of
from apps.rating.domain import Allowance, RatedUsage, Rater
from apps.rating.domain.allowances import serves


class StoredPayer(NamedTuple):
    """Who a stored record was charged to, and on which plan; both stay."""

    subscriber_id: int
    account_id: int
    price_plan_id: int

    @property
    def key(self) -> str:
        """Its “number” in the book."""
        return f"{self.subscriber_id}:{self.price_plan_id}"


class StoredUsage(NamedTuple):
    """A stored record as it is charged again. Usage in seconds, octets or events."""

    payer: StoredPayer
    service_code: str
    other_party: str
    start: datetime
    usage: int
    free_usage: int
    """Taken from free units when it was charged."""


class Recharged(NamedTuple):
    """The new prices in the order of the records (None: cannot be priced, stays as it is), and free units moved."""

    rated: list[RatedUsage | None]
    counters: dict[CounterKey, int]
    """What is added to each counter; zeros are left out."""
    refused: Counter[str]
    """How many records cannot be priced, by reason."""


Given = list[tuple[CounterKey, int]]


def recharge(
    records: Sequence[StoredUsage], book: UsageBook, rater: Rater, online: Mapping[CounterKey, int]
) -> Recharged:
    """Price ``records`` of one account, in the order in which they were charged, as if for the first time.

    The free units that they had are given back before; units of other records and of sessions (``online``) stay taken.
    Which grant a record's units came from is not stored: they are given back to those that serve it, in their order.
    """
    before = dict(book.counters)
    given = [_give_back(record, book, rater, online) for record in records]
    rated: list[RatedUsage | None] = []
    refused: Counter[str] = Counter()
    for record, units in zip(records, given, strict=True):
        try:
            rated.append(
                book.rate(
                    rater,
                    record.payer.key,
                    record.service_code,
                    record.other_party,
                    record.start,
                    record.usage,
                )[1]
            )
        except BssError as error:
            rated.append(None)
            refused[error.code] += 1
            book.use(units)
    added = {key: used - before.get(key, 0) for key, used in book.counters.items()}
    return Recharged(rated, {key: units for key, units in added.items() if units}, refused)


def _give_back(record: StoredUsage, book: UsageBook, rater: Rater, online: Mapping[CounterKey, int]) -> Given:
    left = record.free_usage
    given: Given = []
    if not left:
        return given
    for key in _counters_of(record, book, rater):
        units = min(left, book.counters.get(key, 0) - online.get(key, 0))
        if units > 0:
            book.counters[key] -= units
            given.append((key, units))
            left -= units
            if not left:
                break
    return given


def _counters_of(record: StoredUsage, book: UsageBook, rater: Rater) -> Iterable[CounterKey]:
    """Those of grants that serve the record, in their order, then others of the month."""
    line = book.line_of(record.payer.key, record.start)
    service = book.services.get(record.service_code)
    if line is None or service is None:
        return
    year, month = month_of(record.start, line.zone)
    plan = line.plan_at(record.start)
    tried = set()
    prefix = rater.matched_prefix(record.other_party)
    grants = line.grants_at(plan, record.service_code, record.start) if plan is not None else ()
    for grant in grants:
        allowance = Allowance(grant.origin, grant.units, grant.included, grant.excluded)  # type: ignore[arg-type]
        if serves(rater.tariff, line.tenant, allowance, prefix):
            key = CounterKey(line.subscriber_id, year, month, service.service_id, grant.origin, book.run)
            tried.add(key)
            yield key
    month_key = (line.subscriber_id, year, month, service.service_id)
    for key in sorted(book.counters):
        if key[:4] == month_key and key not in tried:
            yield key
