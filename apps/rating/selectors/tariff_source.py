"""The rows of all tariff plans and price plans as the value that a tariff is compiled from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any
from zoneinfo import ZoneInfo

from apps.rating.domain import source as src
from apps.rating.domain.source import ANY
from apps.rating.domain.tariff_files import KnownIds
from apps.rating.models import (
    Bundle,
    BundleService,
    Destination,
    DestinationPrefix,
    DestinationRate,
    DestinationRateEntry,
    PricePlan,
    PricePlanService,
    Rate,
    RateSlot,
    RatingPlan,
    RatingPlanEntry,
    RatingProfile,
    Service,
    TariffPlan,
    Tenant,
    Timing,
)


def tariff_source() -> src.TariffSource:
    """All that prices depend on, of every tenant, in an order that the same content always has."""
    return src.TariffSource(
        tuple(Tenant.objects.order_by("code").values_list("code", "time_zone")),
        tuple(_tariff_plan(plan) for plan in TariffPlan.objects.order_by("code")),
        tuple(_price_plans()),
    )


def product_terms() -> dict[str, list[dict[str, Any]]]:
    """Services, price plans and bundles as they are sold, by table, in an order that the same content always has."""
    return {
        "services": [
            _sold(service, "code", "name", "type_of_record", "category", "unit_size", "unit_label")
            for service in Service.objects.order_by("code")
        ],
        "price_plans": [
            {"tenant": plan.tenant.code}
            | _sold(plan, "code", "name", "currency", "monthly_fee_micros", "rating_subject")
            | {"expiration_date": plan.expiration_date.isoformat() if plan.expiration_date else None}
            for plan in PricePlan.objects.select_related("tenant").order_by("tenant__code", "code")
        ],
        "price_plan_services": _terms(PricePlanService, "price_plan", "price_micros"),
        "bundles": [
            {"tenant": bundle.tenant.code} | _sold(bundle, "code", "name", "currency", "monthly_fee_micros")
            for bundle in Bundle.objects.select_related("tenant").order_by("tenant__code", "code")
        ],
        "bundle_services": _terms(BundleService, "bundle"),
    }


def _sold(product: Any, *fields: str) -> dict[str, Any]:
    retired_at = product.retired_at.isoformat() if product.retired_at else None
    return {field: getattr(product, field) for field in fields} | {"retired_at": retired_at}


def _terms(model: type[PricePlanService | BundleService], product: str, *fields: str) -> list[dict[str, Any]]:
    columns = (f"{product}__tenant__code", f"{product}__code", "service__code")
    rows = model._default_manager.order_by(*columns)
    names = ("tenant", product, "service", "free_units", "free_destinations", *fields)
    return [
        dict(zip(names, row, strict=True))
        for row in rows.values_list(*columns, "free_units", "free_destinations", *fields)
    ]


def stored_plan(code: str) -> src.TariffPlan:
    """The rows of one tariff plan; an empty one if there is none of this code."""
    plan = TariffPlan.objects.filter(code=code).first()
    return _tariff_plan(plan) if plan is not None else src.TariffPlan(code)


def tenant_zones() -> dict[str, str]:
    """The names of the tenants' time zones by tenant."""
    return dict(Tenant.objects.values_list("code", "time_zone"))


def zones_of_tenants() -> dict[str, ZoneInfo]:
    """The tenants' time zones, for instants that a file writes without one."""
    return {code: ZoneInfo(zone) for code, zone in tenant_zones().items()}


def known_ids(plan_code: str) -> KnownIds:
    """The ids that are stored under a tariff plan."""
    return KnownIds(
        *(
            frozenset(model.objects.filter(tariff_plan__code=plan_code).values_list("code", flat=True))
            for model in (Timing, Destination, Rate, DestinationRate, RatingPlan)
        )
    )


def free_destinations() -> set[str]:
    """The destinations that price plans and bundles have free units for."""
    texts = (
        model._default_manager.exclude(free_destinations="")
        .values_list("free_destinations", flat=True)
        .distinct()
        for model in (PricePlanService, BundleService)
    )
    return {name.removeprefix("!") for column in texts for text in column for name in _items(text)}


def stored_timings(plan: TariffPlan) -> Iterable[src.Timing]:
    """The timings of a tariff plan by their codes."""
    for timing in Timing.objects.filter(tariff_plan=plan).order_by("code"):
        yield src.Timing(
            timing.code,
            _numbers(timing.years),
            _numbers(timing.months),
            _numbers(timing.month_days),
            _numbers(timing.weekdays),
            timing.start_s,
            timing.end_s,
        )


def _tariff_plan(plan: TariffPlan) -> src.TariffPlan:
    return src.TariffPlan(
        plan.code,
        tuple(stored_timings(plan)),
        tuple(_destinations(plan)),
        tuple(_rates(plan)),
        tuple(
            src.DestinationRate(group, destination or ANY, rate, method, decimals, cap, strategy)
            for group, destination, rate, method, decimals, cap, strategy in DestinationRateEntry.objects.filter(
                destination_rate__tariff_plan=plan
            )
            .order_by("destination_rate__code", "id")
            .values_list(
                "destination_rate__code",
                "destination__code",
                "rate__code",
                "rounding_method",
                "rounding_decimals",
                "max_cost",
                "max_cost_strategy",
            )
        ),
        tuple(
            src.RatingPlanEntry(code, group, timing or ANY, f"{weight.normalize():f}")
            for code, group, timing, weight in RatingPlanEntry.objects.filter(rating_plan__tariff_plan=plan)
            .order_by("rating_plan__code", "id")
            .values_list("rating_plan__code", "destination_rate__code", "timing__code", "weight")
        ),
        tuple(_profiles(plan)),
    )


def _destinations(plan: TariffPlan) -> Iterable[src.Destination]:
    prefixes: dict[int, list[str]] = defaultdict(list)
    rows = DestinationPrefix.objects.filter(destination__tariff_plan=plan).order_by()
    for destination_id, prefix in rows.values_list("destination_id", "prefix").iterator(chunk_size=20_000):
        prefixes[destination_id].append(prefix)
    for pk, code in Destination.objects.filter(tariff_plan=plan).order_by("code").values_list("id", "code"):
        yield src.Destination(code, tuple(sorted(prefixes[pk])))


def _rates(plan: TariffPlan) -> Iterable[src.Rate]:
    slots: dict[str, list[src.RateSlot]] = defaultdict(list)
    # By position in the session: the first slot carries the connect fee.
    rows = RateSlot.objects.filter(rate__tariff_plan=plan).order_by("rate__code", "group_start")
    for code, start, fee, price, unit, increment in rows.values_list(
        "rate__code", "group_start", "connect_fee", "price", "unit", "increment"
    ):
        slots[code].append(src.RateSlot(start, fee, price, unit, increment))
    rates = Rate.objects.filter(tariff_plan=plan).order_by("code").values_list("code", "nanoseconds")
    for code, nanoseconds in rates:
        yield src.Rate(code, tuple(slots[code]), nanoseconds)


def _profiles(plan: TariffPlan) -> Iterable[src.RatingProfile]:
    rows = RatingProfile.objects.filter(rating_plan__tariff_plan=plan).select_related("tenant", "rating_plan")
    for row in rows.order_by("tenant__code", "category", "subject", "activation_time"):
        yield src.RatingProfile(
            row.tenant.code,
            row.category,
            row.subject,
            int(row.activation_time.timestamp() // 1),
            row.rating_plan.code,
            _items(row.fallback_subjects),
            _items(row.cdr_stat_queues),
        )


def _price_plans() -> Iterable[src.PricePlan]:
    prices: dict[int, list[src.ServicePrice]] = defaultdict(list)
    rows = PricePlanService.objects.filter(price_micros__isnull=False).select_related("service")
    for row in rows.order_by("service__category"):
        assert row.price_micros is not None
        prices[row.price_plan_id].append(
            src.ServicePrice(row.service.category, row.service.unit_size, row.price_micros)
        )
    for plan in PricePlan.objects.select_related("tenant").order_by("tenant__code", "code"):
        expires = plan.expiration_date.isoformat() if plan.expiration_date else None
        yield src.PricePlan(plan.tenant.code, plan.code, plan.rating_subject, expires, tuple(prices[plan.pk]))


def _items(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(";") if part.strip())


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(";") if part.strip().isdigit())
