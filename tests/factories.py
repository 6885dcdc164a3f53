"""Plain factories: rows that most database tests need, with everything that matters as a parameter."""

from __future__ import annotations

from datetime import UTC, datetime

from apps.billing.domain.onboarding import NewLine
from apps.billing.models import BillCycle
from apps.billing.services.onboarding import onboard
from apps.rating.models import Bundle, BundleService, PricePlan, PricePlanService, Service, Tenant
from apps.rating.services.standard_services import ensure_standard_services
from apps.subscribers.models import Subscriber

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def make_tenant(code: str = "default", time_zone: str = "UTC", currency: str = "EUR") -> Tenant:
    return Tenant.objects.get_or_create(
        code=code, defaults={"time_zone": time_zone, "currency": currency, "legal_name": f"{code} Telecom"}
    )[0]


def make_services() -> dict[str, Service]:
    return {service.code: service for service in ensure_standard_services()}


def make_plan(
    code: str = "PLAN",
    *,
    tenant: Tenant | None = None,
    fee_micros: int = 0,
    subject: str = "*any",
    **terms: tuple[int | None, int] | tuple[int | None, int, str],
) -> PricePlan:
    """A price plan; each keyword names a service: (price in micro-units or None, free units[, destinations])."""
    services = make_services()
    owner = tenant or make_tenant()
    plan = PricePlan.objects.create(
        tenant=owner,
        code=code,
        name=code.title(),
        currency=owner.currency,
        monthly_fee_micros=fee_micros,
        rating_subject=subject,
    )
    for service, (price, free, *destinations) in terms.items():
        PricePlanService.objects.create(
            price_plan=plan,
            service=services[service],
            price_micros=price,
            free_units=free,
            free_destinations=destinations[0] if destinations else "",
        )
    return plan


def make_bundle(
    code: str = "BUNDLE", *, tenant: Tenant | None = None, fee_micros: int = 0, **free: int
) -> Bundle:
    """A bundle; each keyword names a service and its free units."""
    services = make_services()
    owner = tenant or make_tenant()
    bundle = Bundle.objects.create(
        tenant=owner, code=code, name=code.title(), currency=owner.currency, monthly_fee_micros=fee_micros
    )
    for service, units in free.items():
        BundleService.objects.create(bundle=bundle, service=services[service], free_units=units)
    return bundle


def make_cycle(number: int = 1, *, tenant: Tenant | None = None, day: int = 1, **fields: object) -> BillCycle:
    owner = tenant or make_tenant()
    return BillCycle.objects.get_or_create(
        number=number,
        defaults={
            "tenant": owner,
            "day": day,
            "time_zone": owner.time_zone,
            "currency": owner.currency,
            **fields,
        },
    )[0]


def new_line(number: int = 1, **fields: object) -> NewLine:
    """A line to onboard; numbers follow from ``number`` unless given."""
    values: dict[str, object] = {
        "tenant": "default",
        "customer_number": f"C{number}",
        "customer_name": f"Customer {number}",
        "subscriber_number": f"S{number}",
        "msisdn": str(4915550000000 + number),
        "mode": "postpaid",
        "price_plan": "PLAN",
        "cycle": 1,
        "start": LONG_AGO,
    }
    return NewLine(**{**values, **fields})  # type: ignore[arg-type]


def make_subscriber(number: int = 1, *, plan: PricePlan | None = None, **fields: object) -> Subscriber:
    """A subscriber with customer, account, MSISDN and plan, in cycle 1 unless told otherwise."""
    if plan is not None:
        fields = {"price_plan": plan.code, "tenant": plan.tenant.code, **fields}
    line = new_line(number, **fields)
    make_cycle(line.cycle, tenant=make_tenant(line.tenant))
    onboard([line], LONG_AGO)
    return Subscriber.objects.get(tenant__code=line.tenant, number=line.subscriber_number)
