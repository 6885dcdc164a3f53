"""Add up the records of files that came in since the last look; every file once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.models import Count, Max, Min

from apps.insight.domain.days import day_of_quarter
from apps.insight.models import UsageDay
from apps.insight.services.marks import add_to_sums, locked_mark, mark_of
from apps.mediation.models import CdrFile, CdrFileDay
from apps.rating.domain.runs import DEFAULT_RUN
from apps.rating.models import PricePlan
from apps.storage.dialect import quarter_of, whole

SOURCE = "usage"
FILES_AT_ONCE = 500
RECORDS_AT_ONCE = 500_000
KEY = ("tenant_id", "day", "service_id", "price_plan_id")
SUMS = ("records", "`usage`", "free_usage", "billed_usage", "revenue_micros")

Added = dict[tuple[object, ...], Sequence[int]]


def collect_usage(now: datetime) -> int:
    """Count files in the order in which they were committed; returns how many were new.

    A portion's sums and the mark that says so commit together. Records are read outside that transaction (a file's
    never change), and thrown away where somebody else was quicker.
    """
    counted = 0
    while True:
        mark = mark_of(SOURCE)
        files = _next_files(mark.last)
        added = _sums_of([file.pk for file in files if file.rated])
        with transaction.atomic():
            current = locked_mark(SOURCE)
            if current.last != mark.last:
                continue
            if files:
                add_to_sums(UsageDay._meta.db_table, KEY, SUMS, added)
                current.last = files[-1].load_sequence or current.last
            current.at = now
            current.save(update_fields=["last", "at"])
        counted += len(files)
        if not files:
            return counted


def _next_files(after_sequence: int) -> list[CdrFile]:
    """The files after a load sequence: some, and of many records fewer; at least one if there is one."""
    files: list[CdrFile] = []
    records = 0
    for file in (
        CdrFile.objects.filter(load_sequence__gt=after_sequence)
        .order_by("load_sequence")
        .only("pk", "rated", "load_sequence")[:FILES_AT_ONCE]
    ):
        records += file.rated
        if files and records > RECORDS_AT_ONCE:
            break
        files.append(file)
    return files


def _sums_of(file_ids: Collection[int]) -> Added:
    """What the records of these files add to, by key."""
    if not file_ids:
        return {}
    owners = {
        plan_id: (tenant_id, ZoneInfo(zone))
        for plan_id, tenant_id, zone in PricePlan.objects.values_list("pk", "tenant_id", "tenant__time_zone")
    }
    added: dict[tuple[int, date, int, int], list[int]] = defaultdict(lambda: [0] * len(SUMS))
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
            f"SELECT c.price_plan_id, c.service_id, {quarter}, COUNT(*), {sums} FROM mediation_cdr c "
            f"WHERE {within}c.run = '{DEFAULT_RUN}' AND c.file_id IN ({','.join(str(int(pk)) for pk in file_ids)}) "
            f"GROUP BY c.price_plan_id, c.service_id, {quarter}"
        )
        return list(cursor.fetchall())
