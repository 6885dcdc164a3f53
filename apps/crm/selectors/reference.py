"""Reference data with a cache that reloads itself, and what the timer has counted."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import date, datetime, timedelta

from django.conf import settings
from django.db.models.signals import post_delete, post_save

from apps.billing.models import BillCycle
from apps.crm.domain.reference import (
    BundleView,
    CycleView,
    PricePlanView,
    ReferenceData,
    ServiceTermsView,
    ServiceView,
    Statistics,
    SubscriberStatistics,
    TopUpStatistics,
    UsageStatistics,
)
from apps.crm.selectors.rows import checked_service
from apps.crm.selectors.tenants import TenantInfo, tenant_of
from apps.insight import selectors as insight
from apps.kernel.errors import InvalidInput, NotFound
from apps.rating.models import (
    Bundle,
    BundleService,
    PricePlan,
    PricePlanService,
    Service,
    Tenant,
)
from apps.subscribers.models import Customer

MOST_CITIES = 500
MOST_DAYS = 400
USUAL_DAYS = 31


class _Cache:
    """The data read for each tenant, and when."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, ReferenceData]] = {}

    def get(self, tenant: str, read: Callable[[], ReferenceData]) -> ReferenceData:
        known = self._known.get(tenant)
        if known is not None and self.clock() - known[0] < settings.CRM_REFERENCE_TTL_S:
            return known[1]
        # Read outside the lock: two readers at once do no harm, one that waits for the other would.
        at, data = self.clock(), read()
        with self._lock:
            self._known[tenant] = (at, data)
        return data

    def forget(self) -> None:
        with self._lock:
            self._known.clear()


_cache = _Cache()


def reference_data(tenant: str, *, now: datetime) -> ReferenceData:
    """Services, price plans, bundles, cycles, currencies and cities of a tenant; at most CRM_REFERENCE_TTL_S old.

    Raises NotFound (code unknown_tenant).
    """
    owner = tenant_of(tenant)
    return _cache.get(tenant, lambda: _read(owner, now))


def forget_reference_data(**_signal: object) -> None:
    """Have the next call of this process read everything again."""
    _cache.forget()


# What this process changes it knows at once; other processes within the time to live.
for _model in (Tenant, Service, PricePlan, PricePlanService, Bundle, BundleService, BillCycle):
    for _signal in (post_save, post_delete):
        _signal.connect(forget_reference_data, sender=_model, dispatch_uid="crmapi.forget_reference_data")


def get_price_plan(tenant: str, *, now: datetime, price_plan_id: int = 0, code: str = "") -> PricePlanView:
    """A price plan from the cached reference data, retired ones too. Raises NotFound."""
    for plan in reference_data(tenant, now=now).price_plans:
        if plan.id == price_plan_id or (not price_plan_id and plan.code == code):
            return plan
    raise NotFound(f"there is no price plan {price_plan_id or f'“{code}”'}", where="price_plan")


def get_bundle(tenant: str, *, now: datetime, bundle_id: int = 0, code: str = "") -> BundleView:
    """A bundle, likewise. Raises NotFound."""
    for bundle in reference_data(tenant, now=now).bundles:
        if bundle.id == bundle_id or (not bundle_id and bundle.code == code):
            return bundle
    raise NotFound(f"there is no bundle {bundle_id or f'“{code}”'}", where="bundle")


def get_statistics(
    tenant: str,
    *,
    now: datetime,
    first: date | None = None,
    last: date | None = None,
    service: str = "",
    price_plan: str = "",
) -> Statistics:
    """What the timer has collected for the days from ``first`` to ``last``, both included; the last 31 days when None.

    Raises InvalidInput (last before first, more than 400 days, unknown service or price plan).
    """
    owner = tenant_of(tenant)
    end = last or now.astimezone(owner.zone).date()
    start = first or max(date(1, 1, 1) + timedelta(USUAL_DAYS), end) - timedelta(USUAL_DAYS - 1)
    if end < start:
        raise InvalidInput("the last day is before the first", where="last")
    if (end - start).days >= MOST_DAYS:
        raise InvalidInput(f"ask for at most {MOST_DAYS} days at once", where="first")
    service_id = checked_service(service) if service else None
    plan_id = None
    if price_plan:
        plan_id = (
            PricePlan.objects.filter(tenant_id=owner.id, code=price_plan).values_list("pk", flat=True).first()
        )
        if plan_id is None:
            raise InvalidInput(f"there is no price plan “{price_plan}”", where="price_plan")
    return Statistics(
        start,
        end,
        insight.collected_at(),
        tuple(
            UsageStatistics(*row) for row in insight.usage_by_day(owner.id, start, end, service_id, plan_id)
        ),
        tuple(
            SubscriberStatistics(*row) for row in insight.subscribers_by_day(owner.id, start, end, plan_id)
        ),
        tuple(TopUpStatistics(*row) for row in insight.top_ups_by_day(owner.id, start, end)),
    )


def _read(owner: TenantInfo, now: datetime) -> ReferenceData:
    services = tuple(
        ServiceView(
            row.pk,
            row.code,
            row.name,
            row.type_of_record,
            row.unit_size,
            row.unit_label,
            bool(row.retired_at),
        )
        for row in Service.objects.all()
    )
    cycles = tuple(
        CycleView(row.number, row.name, row.day, row.time_zone, row.currency, bool(row.retired_at))
        for row in BillCycle.objects.filter(tenant_id=owner.id)
    )
    plan_terms: dict[int, list[ServiceTermsView]] = defaultdict(list)
    for plan_id, service_id, code, price, free in (
        PricePlanService.objects.filter(price_plan__tenant_id=owner.id)
        .order_by("service_id")
        .values_list("price_plan_id", "service_id", "service__code", "price_micros", "free_units")
    ):
        plan_terms[plan_id].append(ServiceTermsView(service_id, code, price, free))
    bundle_terms: dict[int, list[ServiceTermsView]] = defaultdict(list)
    for bundle_id, service_id, code, free in (
        BundleService.objects.filter(bundle__tenant_id=owner.id)
        .order_by("service_id")
        .values_list("bundle_id", "service_id", "service__code", "free_units")
    ):
        bundle_terms[bundle_id].append(ServiceTermsView(service_id, code, None, free))
    plans = tuple(
        PricePlanView(
            row.pk,
            row.code,
            row.name,
            row.currency,
            row.monthly_fee_micros,
            row.expiration_date,
            row.rating_subject,
            bool(row.retired_at),
            tuple(plan_terms.get(row.pk, ())),
        )
        for row in PricePlan.objects.filter(tenant_id=owner.id)
    )
    bundles = tuple(
        BundleView(
            row.pk,
            row.code,
            row.name,
            row.currency,
            row.monthly_fee_micros,
            bool(row.retired_at),
            tuple(bundle_terms.get(row.pk, ())),
        )
        for row in Bundle.objects.filter(tenant_id=owner.id)
    )
    cities = (
        Customer.objects.filter(tenant_id=owner.id)
        .exclude(city="")
        .order_by("city")
        .values_list("city", flat=True)
        .distinct()[:MOST_CITIES]
    )
    currencies = {owner.currency, *(cycle.currency for cycle in cycles), *(plan.currency for plan in plans)}
    return ReferenceData(
        owner.id,
        owner.code,
        owner.name,
        str(owner.zone),
        owner.currency,
        owner.locale,
        services,
        plans,
        bundles,
        cycles,
        tuple(sorted(currencies)),
        tuple(cities),
        now,
    )
