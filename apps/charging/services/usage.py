"""Fill a usage book from the database under locks, and write it back: the two ends of charging a batch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import Q

from apps.charging.domain.usage_book import (
    NO_END,
    BundlePeriod,
    CounterKey,
    Grant,
    Holding,
    Line,
    PlanPeriod,
    ServiceInfo,
    UsageBook,
    in_order_of_use,
)
from apps.charging.models import Account, AllowanceCounter, LedgerEntry, Payer
from apps.charging.services.ledger import Movement, post_movements
from apps.kernel.periods import local_midnight
from apps.rating.models import BundleService, PricePlan, PricePlanService, Service
from apps.storage.upserts import upsert_few
from apps.subscribers.models import BundleAssignment, PlanAssignment
from apps.subscribers.selectors import in_portions, msisdn_holdings

# Months are kept by local calendar; a day on either side covers every time zone.
COUNTERS_A_STATEMENT = 2_000
ZONE_SLACK = timedelta(days=1)


def lock_usage_book(msisdns: Collection[str], first_start: datetime, last_start: datetime) -> UsageBook:
    """The book for records of ``msisdns`` that start in ``[first_start, last_start]``.

    Inside the caller's transaction. The subscribers' payer rows are locked in id order until it ends, so no
    other batch consumes the same free units meanwhile, and two batches cannot wait for each other.
    """
    holdings = msisdn_holdings(msisdns, first_start, last_start)
    subscriber_ids = sorted({subscriber_id for _, subscriber_id, _, _ in holdings})
    accounts = _lock_payers(subscriber_ids)
    lines = lines_of(subscriber_ids, accounts, first_start, last_start)
    by_msisdn: dict[str, list[Holding]] = defaultdict(list)
    for msisdn, subscriber_id, start, end in holdings:
        line = lines.get(subscriber_id)
        if line is not None:
            by_msisdn[msisdn].append(Holding(start, end or NO_END, line))
    return UsageBook(
        services={
            code: ServiceInfo(service_id, category, type_of_record)
            for service_id, code, category, type_of_record in Service.objects.values_list(
                "id", "code", "category", "type_of_record"
            )
        },
        holdings={msisdn: tuple(sorted(found, key=_start)) for msisdn, found in by_msisdn.items()},
        counters=_counters(subscriber_ids, first_start - ZONE_SLACK, last_start + ZONE_SLACK),
    )


def save_usage_book(book: UsageBook, cause: str) -> None:
    """Write what the batch used and debited; ``cause`` names the batch and moves money once.

    Inside the transaction that locked the book. A prepaid account gets one entry a day of usage, and is debited
    even below zero: the usage has happened (CGRateS: *pseudoprepaid*); overruns are for real-time charging to prevent.
    """
    changed = sorted(book.changed)
    for start in range(0, len(changed), COUNTERS_A_STATEMENT):
        portion = changed[start : start + COUNTERS_A_STATEMENT]
        upsert_few(
            connection,
            "charging_allowancecounter",
            (*CounterKey._fields, "used"),
            [(*key, book.counters[key]) for key in portion],
            key=CounterKey._fields,
            update=("used",),
        )
    post_movements(
        [
            Movement(
                account_id=account_id,
                at=debit.last_start,
                amount_micros=-debit.amount_micros,
                kind=LedgerEntry.Kind.USAGE,
                book=LedgerEntry.Book.REVENUE,
                cause=f"{cause}:{account_id}:{day}",
            )
            for (account_id, day), debit in book.debits.items()
        ]
    )


def _start(period: Holding | PlanPeriod | BundlePeriod) -> datetime:
    return period.start


def _lock_payers(subscriber_ids: list[int]) -> dict[int, int]:
    accounts: dict[int, int] = {}
    for portion in in_portions(subscriber_ids):
        accounts.update(
            Payer.objects.select_for_update()
            .filter(subscriber_id__in=portion)
            .order_by("subscriber_id")
            .values_list("subscriber_id", "account_id")
        )
    return accounts


class Terms(NamedTuple):
    """What is read once of each price plan and bundle: subject, expiry and free units."""

    plans: dict[int, tuple[str, datetime, dict[str, tuple[Grant, ...]]]]
    bundles: dict[int, dict[str, tuple[Grant, ...]]]


def lines_of(
    subscriber_ids: list[int],
    accounts: Mapping[int, int],
    first: datetime,
    last: datetime,
    terms: Terms | None = None,
) -> dict[int, Line]:
    """The lines of subscribers whose accounts are given, with plans and bundles valid within ``[first, last]``.

    ``terms`` are remembered from an earlier call, and added to.
    """
    known = terms if terms is not None else Terms({}, {})
    plans = _plan_periods(subscriber_ids, first, last, known)
    bundles = _bundle_periods(subscriber_ids, first, last, known)
    owners: dict[int, tuple[str, str, str]] = {}
    for portion in in_portions(list(set(accounts.values()))):
        for account_id, *owner in Account.objects.filter(pk__in=portion).values_list(
            "pk", "mode", "tenant__code", "tenant__time_zone"
        ):
            owners[account_id] = (owner[0], owner[1], owner[2])
    lines: dict[int, Line] = {}
    for subscriber_id, account_id in accounts.items():
        if account_id in owners:
            mode, tenant, time_zone = owners[account_id]
            lines[subscriber_id] = Line(
                subscriber_id=subscriber_id,
                account_id=account_id,
                prepaid=mode == Account.Mode.PREPAID,
                tenant=tenant,
                zone=ZoneInfo(time_zone),
                plans=tuple(sorted(plans.get(subscriber_id, ()), key=_start)),
                bundles=tuple(sorted(bundles.get(subscriber_id, ()), key=_start)),
            )
    return lines


def _plan_periods(
    subscriber_ids: Iterable[int], first: datetime, last: datetime, known: Terms
) -> dict[int, list[PlanPeriod]]:
    terms = known.plans
    periods: dict[int, list[PlanPeriod]] = defaultdict(list)
    for portion in in_portions(list(subscriber_ids)):
        assigned = PlanAssignment.objects.filter(
            Q(end__isnull=True) | Q(end__gt=first), subscriber_id__in=portion, start__lte=last
        ).values_list("subscriber_id", "price_plan_id", "start", "end")
        rows = list(assigned)
        _add_plan_terms(terms, {plan_id for _, plan_id, _, _ in rows} - terms.keys())
        for subscriber_id, plan_id, start, end in rows:
            subject, expires, grants = terms[plan_id]
            periods[subscriber_id].append(
                PlanPeriod(start, min(end or NO_END, expires), plan_id, subject, grants)
            )
    return periods


def _add_plan_terms(
    terms: dict[int, tuple[str, datetime, dict[str, tuple[Grant, ...]]]], plan_ids: set[int]
) -> None:
    if not plan_ids:
        return
    grants = _grants(PricePlanService.objects.filter(price_plan_id__in=plan_ids), "price_plan_id", "plan")
    for plan in PricePlan.objects.filter(pk__in=plan_ids).select_related("tenant"):
        expires = local_midnight(plan.expiration_date, plan.tenant.zone) if plan.expiration_date else NO_END
        terms[plan.pk] = (f"*plan:{plan.code}", expires, grants.get(plan.pk, {}))


def _bundle_periods(
    subscriber_ids: Iterable[int], first: datetime, last: datetime, known: Terms
) -> dict[int, list[BundlePeriod]]:
    grants = known.bundles
    periods: dict[int, list[BundlePeriod]] = defaultdict(list)
    for portion in in_portions(list(subscriber_ids)):
        rows = list(
            BundleAssignment.objects.filter(
                Q(end__isnull=True) | Q(end__gt=first), subscriber_id__in=portion, start__lte=last
            ).values_list("subscriber_id", "bundle_id", "start", "end")
        )
        missing = {bundle_id for _, bundle_id, _, _ in rows} - grants.keys()
        if missing:
            grants.update(_grants(BundleService.objects.filter(bundle_id__in=missing), "bundle_id", "bundle"))
            for bundle_id in missing:
                grants.setdefault(bundle_id, {})
        for subscriber_id, bundle_id, start, end in rows:
            periods[subscriber_id].append(BundlePeriod(start, end or NO_END, grants[bundle_id]))
    return periods


def _grants(rows, owner_field: str, origin: str) -> dict[int, dict[str, tuple[Grant, ...]]]:
    found: dict[int, dict[str, list[Grant]]] = defaultdict(lambda: defaultdict(list))
    for row in rows.exclude(free_units=0).select_related("service"):
        owner_id = getattr(row, owner_field)
        names = [name.strip() for name in row.free_destinations.split(";") if name.strip()]
        found[owner_id][row.service.code].append(
            Grant(
                origin=f"{origin}:{owner_id}",
                units=row.free_units if row.free_units < 0 else row.free_units * row.service.unit_size,
                included=frozenset(name for name in names if not name.startswith("!")),
                excluded=frozenset(name[1:] for name in names if name.startswith("!")),
            )
        )
    return {
        owner_id: {code: in_order_of_use(grants) for code, grants in services.items()}
        for owner_id, services in found.items()
    }


def _counters(subscriber_ids: list[int], first: datetime, last: datetime) -> dict[CounterKey, int]:
    first_month, last_month = (first.year, first.month), (last.year, last.month)
    counters: dict[CounterKey, int] = {}
    for portion in in_portions(subscriber_ids):
        rows = AllowanceCounter.objects.filter(
            subscriber_id__in=portion, year__gte=first.year, year__lte=last.year
        ).values_list("subscriber_id", "year", "month", "service_id", "origin", "used")
        for *key, used in rows:
            counter = CounterKey(*key)
            if first_month <= (counter.year, counter.month) <= last_month:
                counters[counter] = used
    return counters
