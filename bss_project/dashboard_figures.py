"""The figures of the admin's first page, from bounded reads: sums by day and counters of files, never the records."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.core.cache import cache
from django.db.models import Count, Max, Q, Sum

from apps.billing.models import Bill, BillRun, Notification
from apps.billing.selectors.runs import RunProgress, runs_progress
from apps.insight.models import UsageDay
from apps.kernel.periods import local_midnight
from apps.mediation.models import CdrFile, SuspendedRecord, WaitingFile
from apps.subscribers.models import Subscriber

DAYS = 30
RUNS = 5
STALE_DAYS = 7
# Newest rows looked at; beyond them a figure says “at least”.
MOST_FILES = 20_000
MOST_BILLS = 500_000
CACHE_S = 15


class LoadDay(NamedTuple):
    """Files loaded on a day (in the operator's time zone), and what became of their records."""

    day: date
    files: int
    refused: int
    rated: int
    suspended: int
    duplicates: int


class BillStatus(NamedTuple):
    """Bills in one status and currency."""

    status: str
    currency: str
    bills: int
    total_micros: int


@dataclass(frozen=True)
class Figures:
    """All that the page shows. ``revenue[currency][service][day]`` is in micro-units; usage counts on the day in its
    tenant's time zone on which it began, loads on the day in the operator's.

    ``usage_days`` end with today, or with the newest day of usage if that is older than ``STALE_DAYS``.
    """

    days: list[date]
    usage_days: list[date]
    loads: list[LoadDay]
    revenue: dict[str, dict[str, dict[date, int]]]
    suspense: list[tuple[str, int]]
    bills: list[BillStatus]
    bills_are_all: bool
    runs: list[RunProgress] = field(default_factory=list)
    active_subscribers: int = 0
    unseen_notifications: int = 0
    waiting_files: int = 0


def figures(now: datetime, zone: ZoneInfo, tenants: frozenset[int] | None = None) -> Figures:
    """The figures at ``now``, of these tenants (None: of all); a few seconds old, so that many pages cost one read."""
    key = f"dashboard-figures-{zone.key}" + "".join(f"-{pk}" for pk in sorted(tenants or ()))
    found = cache.get(key)
    if found is None:
        found = read_figures(now, zone, tenants)
        cache.set(key, found, CACHE_S)
    # How far runs are is what people watch: never from the cache.
    return Figures(**{**found.__dict__, "runs": latest_runs(tenants)})


def _of(tenants: frozenset[int] | None, way: str) -> Q:
    return Q() if tenants is None else Q(**{f"{way}__in": tenants})


def read_figures(now: datetime, zone: ZoneInfo, tenants: frozenset[int] | None = None) -> Figures:
    """The figures at ``now``, read from the database with a constant number of queries.

    Files and suspense belong to no tenant: staff of some tenants are shown neither.
    """
    today = now.astimezone(zone).date()
    days = _days_to(today)
    usage_days = _days_to(_last_day_of_usage(today))
    bills, bills_are_all = _bills(tenants)
    return Figures(
        days=days,
        usage_days=usage_days,
        loads=_loads(days, zone) if tenants is None else [],
        revenue=_revenue(usage_days, tenants),
        suspense=list(
            SuspendedRecord.objects.filter(
                Q() if tenants is None else Q(pk=None), state=SuspendedRecord.State.OPEN
            )
            .values_list("reason")
            .annotate(records=Count("pk"))
            .order_by("-records", "reason")
        ),
        bills=bills,
        bills_are_all=bills_are_all,
        active_subscribers=Subscriber.objects.filter(
            _of(tenants, "tenant"), status=Subscriber.Status.ACTIVE
        ).count(),
        unseen_notifications=Notification.objects.filter(
            _of(tenants, "tenant"), acknowledged_at=None
        ).count(),
        waiting_files=WaitingFile.objects.count() if tenants is None else 0,
    )


def latest_runs(tenants: frozenset[int] | None = None) -> list[RunProgress]:
    """The newest bill runs, with those that are running first."""
    runs = BillRun.objects.filter(_of(tenants, "cycle__tenant")).order_by("-pk")
    running = runs.filter(state=BillRun.State.RUNNING).values_list("pk", flat=True)
    newest = runs.values_list("pk", flat=True)
    pks = list(dict.fromkeys([*running[:RUNS], *newest[:RUNS]]))[:RUNS]
    return runs_progress(pks)


def _days_to(last: date) -> list[date]:
    return [last - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]


def _last_day_of_usage(today: date) -> date:
    newest = UsageDay.objects.filter(day__lte=today).aggregate(last=Max("day"))["last"]
    return newest if newest is not None and (today - newest).days > STALE_DAYS else today


def _loads(days: list[date], zone: ZoneInfo) -> list[LoadDay]:
    newest = CdrFile.objects.aggregate(last=Max("pk"))["last"] or 0
    rows = CdrFile.objects.filter(
        pk__gt=newest - MOST_FILES, taken_at__gte=local_midnight(days[0], zone)
    ).values_list("taken_at", "state", "rated", "suspended", "duplicates")
    sums: dict[date, list[int]] = defaultdict(lambda: [0, 0, 0, 0, 0])
    for taken_at, state, rated, suspended, duplicates in rows:
        day = sums[taken_at.astimezone(zone).date()]
        refused = int(state == CdrFile.State.REFUSED)
        for place, value in enumerate((1 - refused, refused, rated, suspended, duplicates)):
            day[place] += value
    return [LoadDay(day, *sums[day]) for day in days]


def _revenue(days: list[date], tenants: frozenset[int] | None) -> dict[str, dict[str, dict[date, int]]]:
    rows = (
        UsageDay.objects.filter(_of(tenants, "tenant"), day__gte=days[0], day__lte=days[-1])
        .order_by()
        .values_list("day", "service__name", "price_plan__currency")
        .annotate(cost=Sum("revenue_micros"))
    )
    revenue: dict[str, dict[str, dict[date, int]]] = defaultdict(lambda: defaultdict(dict))
    for day, service, currency, cost in rows:
        revenue[currency][service][day] = cost
    return {currency: dict(services) for currency, services in revenue.items()}


def _bills(tenants: frozenset[int] | None) -> tuple[list[BillStatus], bool]:
    newest = Bill.objects.aggregate(last=Max("pk"))["last"] or 0
    rows = (
        Bill.objects.filter(_of(tenants, "tenant"), pk__gt=newest - MOST_BILLS)
        .order_by()
        .values_list("status", "currency")
        .annotate(bills=Count("pk"), total=Sum("total_micros"))
    )
    return [BillStatus(*row) for row in rows], newest <= MOST_BILLS
