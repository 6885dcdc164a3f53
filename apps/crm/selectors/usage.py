"""What subscribers used: records, and free units with usage by service."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from django.db.models import Count, Q, QuerySet, Sum

from apps.charging.domain.modes import NOT_CHARGED
from apps.charging.models import AllowanceCounter, Payer
from apps.crm.domain.usage import FreeUnits, ServiceUsage, UsageData, UsageRecord
from apps.crm.selectors.rows import checked_not_negative, checked_service, paged
from apps.crm.selectors.subscribers import own_subscriber
from apps.crm.selectors.tenants import TenantInfo, tenant_of
from apps.kernel.errors import InvalidInput, NotFound
from apps.kernel.periods import Month, Period, as_utc, month_of, month_period
from apps.mediation.models import Cdr
from apps.rating.domain.runs import DEFAULT_RUN
from apps.rating.models import BundleService, PricePlanService
from apps.rating.models.plans import UNLIMITED

MONTHS_OF_USAGE = 3
YEARS = range(2000, 2101)


class _Asked(NamedTuple):
    """Whose usage is asked for, and of when."""

    rows: QuerySet[Cdr]
    currency: str
    start: datetime


def subscriber_usage(
    tenant: str,
    subscriber_id: int,
    *,
    now: datetime,
    start: datetime | None = None,
    end: datetime | None = None,
    service: str = "",
    after: tuple[datetime, int] | None = None,
    limit: int = 0,
) -> Iterator[UsageRecord]:
    """Rated records of a subscriber, oldest first, those that start in ``[start, end)``; read a page at a time.

    ``after``: only those after the (start, id) of the last record seen.
    Without ``start``: this month and the two before, in the tenant's time zone. Earlier ones are asked for by
    ``start``. Raises NotFound, InvalidInput (unknown service, end before start) at once.
    """
    checked_not_negative(limit=limit)
    asked = _asked(tenant, subscriber_id, now, start, end, service)

    def page(after: tuple[datetime, int] | None, count: int) -> list[UsageRecord]:
        return _page(asked, after, count)

    begin = (as_utc(after[0]), after[1]) if after else None
    return paged(page, begin, lambda record: (record.start, record.id), limit)


def usage_data(tenant: str, subscriber_id: int, *, now: datetime, year: int = 0, month: int = 0) -> UsageData:
    """Free units granted, used and left, and usage by service, of a month (this one when 0) in the tenant's zone.

    Raises NotFound, InvalidInput (month).
    """
    owner = tenant_of(tenant)
    own_subscriber(tenant, subscriber_id)
    wanted = asked_month(year, month) or month_of(now, owner.zone)
    period = month_period(wanted, owner.zone)
    account = _payer(subscriber_id)
    services = (
        Cdr.objects.filter(
            account_id=account[0],
            subscriber_id=subscriber_id,
            run=DEFAULT_RUN,
            start__gte=period.start,
            start__lt=period.end,
        )
        .exclude(mode__in=NOT_CHARGED)
        .order_by("service_id")
        .values_list("service__code", "service__type_of_record")
        .annotate(records=Count("pk"), used=Sum("usage"), free=Sum("free_usage"), cost=Sum("cost_micros"))
    )
    return UsageData(
        subscriber_id,
        wanted.year,
        wanted.month,
        account[1],
        tuple(_free_units(subscriber_id, wanted, period)),
        tuple(ServiceUsage(*row) for row in services),
    )


def asked_month(year: int, month: int) -> Month | None:
    """The month asked for; None if neither is given. Raises InvalidInput."""
    if not year and not month:
        return None
    if year not in YEARS or not 1 <= month <= 12:
        raise InvalidInput("give a year such as 2026 and a month from 1 to 12, or neither", where="month")
    return Month(year, month)


def first_of_recent_months(owner: TenantInfo, now: datetime) -> datetime:
    """Where this month and the two before it begin."""
    month = month_of(now, owner.zone)
    for _ in range(MONTHS_OF_USAGE - 1):
        month = month.previous()
    return month_period(month, owner.zone).start


def _asked(
    tenant: str,
    subscriber_id: int,
    now: datetime,
    start: datetime | None,
    end: datetime | None,
    service: str,
) -> _Asked:
    owner = tenant_of(tenant)
    own_subscriber(tenant, subscriber_id)
    begins = first_of_recent_months(owner, now) if start is None else as_utc(start)
    if end is not None and as_utc(end) < begins:
        raise InvalidInput("the end is before the start", where="end")
    account_id, currency = _payer(subscriber_id)
    rows = Cdr.objects.filter(account_id=account_id, subscriber_id=subscriber_id, run=DEFAULT_RUN)
    rows = rows.exclude(mode__in=NOT_CHARGED)
    if end is not None:
        rows = rows.filter(start__lt=as_utc(end))
    if service:
        rows = rows.filter(service_id=checked_service(service))
    return _Asked(rows, currency, begins)


def _payer(subscriber_id: int) -> tuple[int, str]:
    found = Payer.objects.filter(pk=subscriber_id).values_list("account_id", "account__currency").first()
    if found is None:
        raise NotFound(f"no account pays for subscriber {subscriber_id}", where="id")
    return found


def _page(asked: _Asked, after: tuple[datetime, int] | None, count: int) -> list[UsageRecord]:
    rows = asked.rows.filter(start__gte=asked.start if after is None else max(asked.start, after[0]))
    if after is not None:
        rows = rows.filter(Q(start__gt=after[0]) | Q(pk__gt=after[1]))
    found = rows.order_by("start", "pk").values_list(
        "pk",
        "subscriber_id",
        "service__code",
        "service__type_of_record",
        "start",
        "other_party",
        "destination__tag",
        "usage",
        "free_usage",
        "billed_usage",
        "cost_micros",
        "price_plan__code",
    )[:count]
    return [UsageRecord(*row[:-1], asked.currency, row[-1]) for row in found]


def _free_units(subscriber_id: int, month: Month, period: Period) -> Iterator[FreeUnits]:
    """Those of every plan and bundle held within the month, plans first."""
    subscriber = {"subscriber_id": subscriber_id}
    used = {
        (origin, service_id): (spent, reserved)
        for origin, service_id, spent, reserved in AllowanceCounter.objects.filter(
            **subscriber, year=month.year, month=month.month, run=DEFAULT_RUN
        ).values_list("origin", "service_id", "used", "reserved")
    }
    for origin, terms, owner in (
        ("plan", PricePlanService, "price_plan"),
        ("bundle", BundleService, "bundle"),
    ):
        held = Q(**{f"{owner}__assignments__end__isnull": True}) | Q(
            **{f"{owner}__assignments__end__gt": period.start}
        )
        rows = (
            terms.objects.exclude(free_units=0)
            .filter(
                held,
                **{
                    f"{owner}__assignments__subscriber_id": subscriber_id,
                    f"{owner}__assignments__start__lt": period.end,
                },
            )
            .select_related("service", owner)
            .order_by(f"{owner}_id", "service_id")
            .distinct()
        )
        for row in rows:
            service = row.service
            spent, _reserved = used.get((f"{origin}:{getattr(row, f'{owner}_id')}", service.pk), (0, 0))
            unlimited = row.free_units == UNLIMITED
            granted = UNLIMITED if unlimited else row.free_units * service.unit_size
            yield FreeUnits(
                service.code,
                service.type_of_record,
                origin,
                getattr(row, owner).code,
                granted,
                spent,
                UNLIMITED if unlimited else max(0, granted - spent),
                service.unit_size,
                service.unit_label,
                row.free_destinations,
            )
