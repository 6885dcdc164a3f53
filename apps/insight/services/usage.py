"""Add up the records of files as they come in; every file once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import Count, Max, Min

from apps.charging.domain.modes import NOT_CHARGED
from apps.events.models import Event
from apps.events.services.consuming import Consumer, deliver, register, unhandled
from apps.insight.domain.days import day_of_quarter
from apps.insight.models import UsageDay
from apps.insight.services.marks import add_to_sums
from apps.mediation.domain.charges import ChargeChange
from apps.mediation.domain.published import FILE_LOADED
from apps.mediation.models import CdrFileDay
from apps.mediation.selectors import RATED_RECORDS
from apps.rating.domain.runs import DEFAULT_RUN
from apps.rating.models import PricePlan
from apps.storage.dialect import quarter_of, whole

FILES_AT_ONCE = 500
_NOT_CHARGED = ", ".join(f"'{mode}'" for mode in sorted(NOT_CHARGED))
RECORDS_AT_ONCE = 500_000
KEY = ("tenant_id", "day", "service_id", "price_plan_id")
SUMS = ("records", "`usage`", "free_usage", "billed_usage", "revenue_micros")

Added = dict[tuple[object, ...], Sequence[int]]


def collect_usage(now: datetime) -> int:
    """Count the files that came in since the last look; returns how many events of files were handled."""
    return deliver(now, [USAGE])


def count_files(events: Sequence[Event], now: datetime) -> None:
    """Add the files' records to the sums, a portion at a time; with the charges that they have now."""
    portion: list[int] = []
    records = 0
    for event in events:
        if portion and records + event.body["rated"] > RECORDS_AT_ONCE:
            _count(portion)
            portion, records = [], 0
        if event.body["rated"]:
            portion.append(event.body["file_id"])
            records += event.body["rated"]
    _count(portion)


def _count(file_ids: Collection[int]) -> None:
    if file_ids:
        add_to_sums(UsageDay._meta.db_table, KEY, SUMS, _sums_of(file_ids))


def _sums_of(file_ids: Collection[int]) -> Added:
    """What the records of these files add to, by key."""
    owners = _owners()
    added: dict[tuple[object, ...], list[int]] = defaultdict(lambda: [0] * len(SUMS))
    for plan_id, service_id, quarter, *amounts in _read(file_ids):
        tenant_id, zone = owners[plan_id]
        sums = added[tenant_id, day_of_quarter(quarter, zone), service_id, plan_id]
        for place, amount in enumerate(amounts):
            sums[place] += amount
    return dict(added)


def _read(file_ids: Collection[int]) -> list[tuple[int, ...]]:
    """Sums of the files' records of the default run by plan, service and quarter of an hour.

    The table has no index by file: the range of ids in which the files' records lie is read, once.
    """
    span = CdrFileDay.objects.filter(file_id__in=file_ids).aggregate(
        after=Min("after_cdr"), last=Max("last_cdr"), files=Count("file_id", distinct=True)
    )
    within = f"c.id > {span['after']:d} AND c.id <= {span['last']:d} AND " if span["files"] else ""
    if span["files"] < len(file_ids):
        # Files from before their days were kept: once, the whole table.
        within = ""
    quarter = quarter_of("c.start")
    sums = ", ".join(
        whole(f"SUM(c.{column})") for column in ("usage", "free_usage", "billed_usage", "cost_micros")
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT c.price_plan_id, c.service_id, {quarter}, COUNT(*), {sums} FROM {RATED_RECORDS} c "
            f"WHERE {within}c.run = '{DEFAULT_RUN}' AND c.mode NOT IN ({_NOT_CHARGED}) "
            f"AND c.file_id IN ({','.join(str(int(pk)) for pk in file_ids)}) "
            f"GROUP BY c.price_plan_id, c.service_id, {quarter}"
        )
        return list(cursor.fetchall())


def correct_usage(changes: Sequence[ChargeChange]) -> None:
    """Keep the sums true to records whose charges changed, inside the transaction that changes them.

    Files that are not counted yet will be with the new charges. Call it last: counting waits until the commit.
    """
    waiting = unhandled(
        USAGE, {f"{FILE_LOADED.subject}:{file_id}" for file_id in {one.file_id for one in changes}}
    )
    owners = _owners()
    added: dict[tuple[object, ...], list[int]] = defaultdict(lambda: [0] * len(SUMS))
    for change in changes:
        if f"{FILE_LOADED.subject}:{change.file_id}" in waiting:
            continue
        tenant_id, zone = owners[change.price_plan_id]
        day = change.start.astimezone(zone).date()
        sums = added[tenant_id, day, change.service_id, change.price_plan_id]
        for place, (before, after) in enumerate(zip(change.before[1:], change.after[1:], strict=True), 2):
            sums[place] += after - before
    add_to_sums(UsageDay._meta.db_table, KEY, SUMS, added)


def _owners() -> dict[int, tuple[int, ZoneInfo]]:
    """Tenant and time zone of each price plan."""
    return {
        plan_id: (tenant_id, ZoneInfo(zone))
        for plan_id, tenant_id, zone in PricePlan.objects.values_list("pk", "tenant_id", "tenant__time_zone")
    }


USAGE = Consumer("usage-statistics", (FILE_LOADED,), count_files, at_once=FILES_AT_ONCE, repeatable=False)


def register_consumer() -> None:
    register(USAGE)
