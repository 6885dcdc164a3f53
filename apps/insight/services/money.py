"""Add up the ledger's new entries by day: top-ups, usage charged in real time, fees and the like."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.models import Max

from apps.charging.models import LedgerEntry
from apps.charging.selectors import ACCOUNTS, BALANCES, LEDGER
from apps.insight.domain.days import day_of_quarter
from apps.insight.models import CollectorMark, MoneyDay
from apps.insight.selectors import ONLINE_USAGE
from apps.insight.services.marks import add_to_sums, locked_mark, mark_of
from apps.rating.models import Tenant
from apps.storage.dialect import quarter_of, whole
from apps.storage.reads import wait_until_committed

SOURCE = "ledger"
ENTRIES_AT_ONCE = 200_000
SETTLED_AFTER = timedelta(seconds=10)
"""Entries get their ids before they are committed; by then those with lower ids are written, and can be waited for."""
KEY = ("tenant_id", "day", "currency", "kind")
SUMS = ("entries", "amount_micros")


def collect_money(now: datetime, settled_after: timedelta = SETTLED_AFTER) -> int:
    """Count entries that were there at the last look, in the order of their ids; returns how many ids were passed.

    An entry is counted at the second tick after it was written; it and the mark commit together.
    """
    newest = LedgerEntry.objects.aggregate(last=Max("pk"))["last"] or 0
    if newest <= mark_of(SOURCE).last:
        return 0
    passed = 0
    while True:
        with transaction.atomic():
            mark = locked_mark(SOURCE)
            if not settled_after:
                mark.ahead = newest
            elif mark.at is None or now - mark.at < settled_after:
                # The newest rows are counted once they have settled.
                if mark.at is None:
                    _look_ahead(mark, newest, now)
                return passed
            upto = min(mark.ahead, mark.last + ENTRIES_AT_ONCE)
            if upto > mark.last:
                wait_until_committed(LedgerEntry._meta.db_table, mark.last, upto)
                _count(mark.last, upto)
                passed += upto - mark.last
                mark.last = upto
            if upto == mark.ahead:
                _look_ahead(mark, newest, now)
                return passed
            mark.save(update_fields=["last"])


def _look_ahead(mark: CollectorMark, newest: int, now: datetime) -> None:
    mark.ahead, mark.at = newest, now
    mark.save(update_fields=["last", "ahead", "at"])


def _count(after: int, upto: int) -> None:
    zones = {pk: ZoneInfo(zone) for pk, zone in Tenant.objects.values_list("pk", "time_zone")}
    added: dict[tuple[object, ...], list[int]] = defaultdict(lambda: [0, 0])
    for tenant_id, currency, kind, from_file, quarter, entries, amount in _read(after, upto):
        named = ONLINE_USAGE if kind == LedgerEntry.Kind.USAGE and not from_file else kind
        sums = added[tenant_id, day_of_quarter(quarter, zones[tenant_id]), currency, named]
        sums[0] += entries
        sums[1] += amount
    if added:
        add_to_sums(MoneyDay._meta.db_table, KEY, SUMS, added)


def _read(after: int, upto: int) -> list[tuple[Any, ...]]:
    quarter = quarter_of("e.at")
    # Usage of records, as it was charged or since it was charged again.
    from_file = "CASE WHEN e.cause LIKE 'cdr-file:%' OR e.cause LIKE 'rerate:%' THEN 1 ELSE 0 END"
    with connection.cursor() as cursor:
        # No parameters, and so no reading of “%”.
        cursor.execute(
            f"SELECT a.tenant_id, a.currency, e.kind, {from_file}, {quarter}, COUNT(*), "
            f"{whole('SUM(e.amount_micros)')} FROM {LEDGER} e "
            f"JOIN {BALANCES} b ON b.id = e.balance_id JOIN {ACCOUNTS} a ON a.id = b.account_id "
            f"WHERE e.id > {after:d} AND e.id <= {upto:d} AND b.kind = 'monetary' "
            f"GROUP BY a.tenant_id, a.currency, e.kind, {from_file}, {quarter}"
        )
        return list(cursor.fetchall())
