"""Charge stored records again: the book that they are charged with, and the free units that this moves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import NamedTuple

from django.db import DEFAULT_DB_ALIAS, connections

from apps.charging.domain.lines import NO_END, CounterKey, Holding, Line, ServiceInfo
from apps.charging.domain.recharging import StoredPayer
from apps.charging.domain.usage_book import UsageBook
from apps.charging.models import AllowanceCounter
from apps.charging.services.terms import Terms
from apps.charging.services.usage import ZONE_SLACK, lines_of, lock_payers
from apps.kernel.errors import Conflict
from apps.rating.domain.runs import DEFAULT_RUN
from apps.rating.models import Service
from apps.storage.reads import select_in
from apps.storage.upserts import change_rows
from apps.subscribers.selectors import bundle_periods

ALWAYS = datetime.min.replace(tzinfo=UTC)
FIELDS = ("subscriber_id", "year", "month", "service_id", "origin", "run")


class Counters(NamedTuple):
    """Free units of some subscribers: used in all, the part used online, and the row of each counter."""

    used: dict[CounterKey, int]
    online: dict[CounterKey, int]
    rows: dict[CounterKey, int]


@dataclass
class Recharging:
    """What stored records are charged again with, for any number of accounts; a book of its own for each account."""

    services: Mapping[str, ServiceInfo]
    codes: Mapping[int, str]
    lines: Mapping[StoredPayer, Line]
    counters: Counters

    def book_of(self, account_id: int) -> UsageBook:
        """The account's book; a record's “number” in it is its payer's key."""
        subscribers = {payer.subscriber_id for payer in self.lines if payer.account_id == account_id}
        return UsageBook(
            services=self.services,
            holdings={
                payer.key: (Holding(ALWAYS, NO_END, line),)
                for payer, line in self.lines.items()
                if payer.account_id == account_id
            },
            counters={
                key: used for key, used in self.counters.used.items() if key.subscriber_id in subscribers
            },
        )


class PastTerms(NamedTuple):
    """How records of some payers are priced: the services, the subject of each price plan, and free units.

    ``with_units`` has the codes of the services of which a payer may have free units; payers without any are left out.
    """

    services: Mapping[str, ServiceInfo]
    subjects: Mapping[int, str]
    with_units: Mapping[StoredPayer, frozenset[str]]


def read_past_terms(payers: Collection[StoredPayer], first: datetime, last: datetime) -> PastTerms:
    """For records of ``payers`` that start in ``[first, last]``, before their lines are read where units matter."""
    terms = Terms.nothing()
    terms.learn_plans({payer.price_plan_id for payer in payers})
    rows = bundle_periods(sorted({payer.subscriber_id for payer in payers}), first, last)
    terms.learn_bundles({bundle_id for _, bundle_id, _, _ in rows})
    by_plan = {plan_id: frozenset(grants) for plan_id, (_, _, grants) in terms.plans.items()}
    by_bundle: dict[int, frozenset[str]] = defaultdict(frozenset)
    for subscriber_id, bundle_id, _, _ in rows:
        by_bundle[subscriber_id] |= terms.bundles[bundle_id].keys()
    with_units = {
        payer: codes
        for payer in payers
        if (
            codes := by_plan.get(payer.price_plan_id, _NO_CODES)
            | by_bundle.get(payer.subscriber_id, _NO_CODES)
        )
    }
    return PastTerms(
        _services(), {plan_id: subject for plan_id, (subject, _, _) in terms.plans.items()}, with_units
    )


_NO_CODES: frozenset[str] = frozenset()


def _services() -> dict[str, ServiceInfo]:
    rows = Service.objects.values_list("id", "code", "category", "type_of_record")
    return {code: ServiceInfo(pk, category, kind) for pk, code, category, kind in rows}


def read_recharging(
    payers: Collection[StoredPayer],
    first: datetime,
    last: datetime,
    terms: Terms | None = None,
    *,
    lock: bool = False,
) -> Recharging:
    """For records of ``payers`` that start in ``[first, last]``, as they were charged: same account, same plan.

    Free units are those of ``terms``; without them, or missing there, those that are granted now. With ``lock``, inside
    the caller's transaction: no batch uses free units of these subscribers until it ends.
    """
    if lock:
        lock_payers(sorted({payer.subscriber_id for payer in payers}))
    infos = _services()
    subscriber_ids = sorted({payer.subscriber_id for payer in payers})
    return Recharging(
        infos,
        {info.service_id: code for code, info in infos.items()},
        _lines(payers, first, last, terms or Terms.nothing()),
        _counters(subscriber_ids, first - ZONE_SLACK, last + ZONE_SLACK),
    )


def _lines(
    payers: Collection[StoredPayer], first: datetime, last: datetime, terms: Terms
) -> dict[StoredPayer, Line]:
    terms.learn_plans({payer.price_plan_id for payer in payers})
    # A subscriber whose payer changed has records with several accounts.
    accounts: list[dict[int, int]] = []
    for payer in sorted(payers):
        for mapping in accounts:
            if mapping.setdefault(payer.subscriber_id, payer.account_id) == payer.account_id:
                break
        else:
            accounts.append({payer.subscriber_id: payer.account_id})
    found: dict[StoredPayer, Line] = {}
    for mapping in accounts:
        lines = lines_of(sorted(mapping), mapping, first, last, terms)
        for payer in payers:
            if mapping.get(payer.subscriber_id) == payer.account_id and payer.price_plan_id in terms.plans:
                plan = terms.plan_period(payer.price_plan_id, ALWAYS, None)
                found[payer] = replace(
                    lines[payer.subscriber_id], plans=(plan._replace(end=NO_END),), terms={}
                )
    return found


def _counters(subscriber_ids: Collection[int], first: datetime, last: datetime) -> Counters:
    found = Counters({}, {}, {})
    for *fields, used, online, pk in select_in(
        f"SELECT {', '.join(FIELDS)}, used, used_online, id FROM charging_allowancecounter"
        f" WHERE year * 12 + month BETWEEN {first.year * 12 + first.month} AND {last.year * 12 + last.month}"
        f" AND run = '{DEFAULT_RUN}' AND subscriber_id IN ({{values}})",
        subscriber_ids,
    ):
        key = CounterKey(*fields)
        found.used[key], found.online[key], found.rows[key] = used, online, pk
    return found


Moved = list[tuple[int, int]]
"""Rows of counters and the units added to each."""


def move_counters(
    added: Mapping[int, Mapping[CounterKey, int]], rows: Mapping[CounterKey, int]
) -> dict[int, Moved]:
    """Add to counters of free units, by account; the caller has locked their payers. What to take back, by account.

    ``rows`` are those of the counters that there are; others are made.
    """
    known = dict(rows)
    moved: dict[int, Moved] = {}
    for account_id, counters in sorted(added.items()):
        moved[account_id] = []
        for key, units in sorted(counters.items()):
            if key not in known:
                known[key] = AllowanceCounter.objects.create(**key._asdict()).pk
            moved[account_id].append((known[key], units))
    _add([one for some in moved.values() for one in some])
    return moved


def move_counters_back(moved: Collection[tuple[int, int]]) -> None:
    """Take back :func:`move_counters`, inside a transaction that has locked the payers.

    Raises Conflict (``free_units_used``) if a counter would hold less than sessions have used.
    """
    back: dict[int, int] = defaultdict(int)
    for row, units in moved:
        back[row] -= units
    for counter in AllowanceCounter.objects.filter(pk__in=back) if back else ():
        if counter.used + back[counter.pk] < counter.used_online:
            raise Conflict(f"free units have been used otherwise since ({counter})", code="free_units_used")
    _add(list(back.items()))


def _add(units: Collection[tuple[int, int]]) -> None:
    sums: dict[int, int] = defaultdict(int)
    for row, added in units:
        sums[row] += added
    change_rows(
        connections[DEFAULT_DB_ALIAS],
        AllowanceCounter._meta.db_table,
        "used = used + {value}",
        sorted(sums.items()),
    )
