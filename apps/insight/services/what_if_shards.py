"""One portion of a what-if: read its records, price them by the other tariff, add up. Reads only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from django.db import connection

from apps.charging.domain.lines import NO_END, Holding
from apps.charging.domain.recharging import StoredPayer, StoredUsage, recharge
from apps.charging.domain.usage_book import UsageBook
from apps.charging.models import Account
from apps.charging.services.recharging import (
    ALWAYS,
    PastTerms,
    Recharging,
    read_past_terms,
    read_recharging,
)
from apps.insight.domain.what_if import (
    COST,
    Group,
    PastRecord,
    PricedAs,
    Prices,
    Pricing,
    Sums,
    add_priced,
    as_charged,
    in_sample,
)
from apps.insight.models import WhatIf, WhatIfShard
from apps.kernel.errors import Conflict
from apps.mediation.selectors import RATED_RECORDS
from apps.rating.domain import Rater
from apps.rating.domain.runs import DEFAULT_RUN
from apps.rating.selectors import rater_as_of
from apps.rating.selectors.drafts import draft_tariff
from apps.rating.selectors.tariffs import content_hash_of
from apps.storage.bulk import database_instant
from apps.storage.reads import instant_read
from apps.storage.upserts import select


class ShardSums(NamedTuple):
    """A portion's sums."""

    groups: dict[tuple[Group, str], Sums]
    accounts: dict[int, Sums]


def other_tariff(what_if: WhatIf) -> Prices:
    """What to price by. Raises Conflict if the tariff is another than when the what-if began."""
    if what_if.draft_id is not None:
        draft = draft_tariff(what_if.draft_id)
        found, rater = content_hash_of(draft.source), draft.rater
    else:
        assert what_if.tariff_version_id is not None
        rater = rater_as_of(what_if.tariff_version_id).rater
        found = what_if.content_hash
    if found != what_if.content_hash:
        raise Conflict(
            "what is live has changed since, and the draft with it; start another what-if",
            code="tariff_changed",
        )
    return Prices(rater, instant_read, database_instant)


def simulate(what_if: WhatIf, shard: WhatIfShard, prices: Prices) -> ShardSums:
    """What the portion's records would cost by ``prices``."""
    accounts = dict(
        Account.objects.filter(
            tenant_id=what_if.tenant_id, pk__gte=shard.first_account, pk__lte=shard.last_account
        ).values_list("pk", "currency")
    )
    chosen = [pk for pk in accounts if in_sample(pk, what_if.sample_percent, what_if.seed)]
    records = _records(chosen, what_if.start, what_if.end)
    if not records:
        return ShardSums({}, {})
    payers = {StoredPayer._make(fields) for fields in set(map(_PAYER, records))}
    terms = read_past_terms(payers, what_if.start, what_if.end)
    again = read_recharging(terms.with_units.keys(), what_if.start, what_if.end)
    books = _books(again)
    # Only these services of these payers have units to give back and to take.
    served = {
        (payer.account_id, payer.subscriber_id, payer.price_plan_id, terms.services[code].service_id)
        for payer, codes in terms.with_units.items()
        for code in codes
    }
    priced_as = _priced_as(terms, what_if.tenant.code)
    pricings = {currency: Pricing(prices, priced_as) for currency in set(accounts.values())}
    by_account: dict[int, Sums] = {}
    for account_id, rows in groupby(records, _ACCOUNT):
        pricing = pricings[accounts[account_id]]
        of_account = by_account[account_id] = [0] * 7
        if account_id in books:
            priced_alone: list[Any] = []
            with_units: list[Any] = []
            for row in rows:
                (with_units if row[:4] in served else priced_alone).append(row)
            if with_units:
                past = map(PastRecord._make, with_units)
                _price_with_units(past, again, books[account_id], prices.rater, pricing.groups, of_account)
            pricing.add(priced_alone, of_account)
        else:
            pricing.add(rows, of_account)  # type: ignore[arg-type]
    if what_if.cost_run:
        for account_id, key, cost_micros in _costs(chosen, what_if, accounts):
            pricings[accounts[account_id]].groups[key][COST] += cost_micros
            by_account[account_id][COST] += cost_micros
    return ShardSums(
        {
            (key, currency): sums
            for currency, pricing in pricings.items()
            for key, sums in pricing.groups.items()
        },
        by_account,
    )


_ACCOUNT = itemgetter(0)
# The fields of a record that make its payer.
_PAYER = itemgetter(1, 0, 2)
_CHOSEN = (
    f"FROM {RATED_RECORDS} c WHERE c.account_id IN ({{values}}) AND c.start >= '{{start}}' AND c.start < '{{end}}'"
    f" AND c.run = '{DEFAULT_RUN}' AND c.mode = ''"
)


def _chosen(start: datetime, end: datetime) -> str:
    text = _CHOSEN.replace("{start}", database_instant(start))
    return text.replace("{end}", database_instant(end))


def _records(account_ids: Collection[int], start: datetime, end: datetime) -> list[tuple[Any, ...]]:
    """The records of these accounts as the fields of PastRecord, by account."""
    return select(
        connection,
        "SELECT c.account_id, c.subscriber_id, c.price_plan_id, c.service_id, c.destination_id,"
        " CAST(c.start AS CHAR), c.other_party, c.`usage`, c.free_usage, c.cost_micros, c.id"
        f" {_chosen(start, end)} ORDER BY c.account_id",
        account_ids,
    )


def _costs(
    account_ids: Collection[int], what_if: WhatIf, currencies: dict[int, str]
) -> Iterable[tuple[int, Group, int]]:
    """By account and group, what another run of the same records cost in the same currency."""
    joined = _chosen(what_if.start, what_if.end).replace(
        " WHERE ",
        f" JOIN {RATED_RECORDS} w ON w.source_id = c.source_id AND w.record_id = c.record_id"
        f" AND w.run = '{what_if.cost_run}' WHERE ",
    )
    rows = select(
        connection,
        "SELECT c.account_id, c.service_id, c.price_plan_id, c.destination_id, w.account_id, SUM(w.cost_micros)"
        f" {joined} GROUP BY c.account_id, c.service_id, c.price_plan_id, c.destination_id, w.account_id",
        account_ids,
    )
    paid_by = {row[4] for row in rows}
    known = dict(Account.objects.filter(pk__in=paid_by).values_list("pk", "currency"))
    for account_id, service_id, plan_id, destination_id, supplier, cost_micros in rows:
        if known.get(supplier) == currencies[account_id]:
            yield account_id, Group(service_id, plan_id, destination_id), int(cost_micros)


def _priced_as(terms: PastTerms, tenant: str) -> dict[tuple[int, int], PricedAs]:
    """How a Usage of a price plan and service begins."""
    return {
        (plan_id, service.service_id): (tenant, service.category, subject, service.type_of_record)
        for plan_id, subject in terms.subjects.items()
        for service in terms.services.values()
    }


def _books(again: Recharging) -> dict[int, UsageBook]:
    """A book for each account."""
    holdings: dict[int, dict[str, tuple[Holding, ...]]] = defaultdict(dict)
    account_of: dict[int, set[int]] = defaultdict(set)
    for payer, line in again.lines.items():
        holdings[payer.account_id][payer.key] = (Holding(ALWAYS, NO_END, line),)
        account_of[payer.subscriber_id].add(payer.account_id)
    books = {
        account_id: UsageBook(services=again.services, holdings=held, counters={})
        for account_id, held in holdings.items()
    }
    for key, used in again.counters.used.items():
        for account_id in account_of[key.subscriber_id]:
            books[account_id].counters[key] = used
    return books


def _price_with_units(
    records: Iterable[PastRecord],
    again: Recharging,
    book: UsageBook,
    rater: Rater,
    groups: dict[Group, Sums],
    of_account: Sums,
) -> None:
    """Free units of these records are given back, then taken in the order in which they were charged."""
    ordered = as_charged(list(records))
    stored = [
        StoredUsage(
            StoredPayer(record.subscriber_id, record.account_id, record.price_plan_id),
            again.codes.get(record.service_id, ""),
            record.other_party,
            instant_read(record.start),
            record.usage,
            record.free_usage,
        )
        for record in ordered
    ]
    for record, rated in zip(
        ordered, recharge(stored, book, rater, again.counters.online).rated, strict=True
    ):
        after = None if rated is None else (rated.cost_micros, rated.free_usage)
        add_priced(record, after, groups, of_account)
