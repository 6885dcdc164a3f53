"""What usage would cost, and why."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q

from apps.crm.domain.usage import Price, PriceEnquiry, PriceLine
from apps.crm.selectors.rows import checked_service
from apps.crm.selectors.subscriber_rows import MSISDN
from apps.crm.selectors.subscribers import plain_msisdn
from apps.crm.selectors.tenants import TenantInfo, tenant_of
from apps.kernel.errors import InvalidInput, NotFound
from apps.kernel.periods import as_utc
from apps.kernel.units import NANO
from apps.rating.domain import Usage, plan_subject
from apps.rating.domain.explain import Line, explain, prose
from apps.rating.models import PricePlan, Service
from apps.rating.selectors import current_tariff
from apps.subscribers.models import PlanAssignment
from apps.subscribers.selectors import holders_at


def price_enquiry(tenant: str, enquiry: PriceEnquiry, *, now: datetime) -> Price:
    """What usage would cost, and why. Nothing is charged; free units are left out of it.

    Raises InvalidInput (service, usage, position), NotFound (msisdn, price_plan, no tariff), RatingError if there is
    no price (a BssError whose code says why: unauthorised_destination, no_rating_profile, …).
    """
    owner = tenant_of(tenant)
    service = Service.objects.get(pk=checked_service(enquiry.service))
    for name in ("usage", "position"):
        if getattr(enquiry, name) < 0:
            raise InvalidInput("must not be negative", where=name)
    start = as_utc(enquiry.start) if enquiry.start is not None else now
    plan = _plan(owner, enquiry, start, now)
    tariff = current_tariff()
    usage = Usage(
        owner.code,
        service.category,
        plan_subject(plan.code) if plan else enquiry.subject or "*any",
        service.type_of_record,
        enquiry.destination.removeprefix("+"),
        start,
        enquiry.usage,
    )
    explanation = explain(tariff.rater, usage, enquiry.position)
    rated = explanation.rated
    return Price(
        rated.cost_micros,
        rated.connect_fee_micros,
        rated.billed_usage,
        plan.currency if plan else owner.currency,
        rated.subject,
        rated.destination,
        tariff.version_id,
        tuple(
            PriceLine(
                line.start,
                _whole(line.usage, line),
                _whole(line.units, line),
                _whole(line.increment, line),
                line.rate,
                _whole(line.rate_unit, line),
                line.rating_plan,
                line.destination,
                line.prefix,
                line.timing,
                line.cost_micros,
            )
            for line in explanation.lines
        ),
        prose(explanation, str(owner.zone)),
    )


def _whole(number: int, line: Line) -> int:
    """A figure of a line in the units of the interface, which has no fractions of a second: rounded up."""
    return -(-number // NANO) if line.in_ns else number


def _plan(owner: TenantInfo, enquiry: PriceEnquiry, start: datetime, now: datetime) -> PricePlan | None:
    """The plan asked for, or the one that the subscriber has when the usage starts."""
    if enquiry.price_plan:
        plan = PricePlan.objects.filter(tenant_id=owner.id, code=enquiry.price_plan).first()
        if plan is None:
            raise NotFound(f"there is no price plan “{enquiry.price_plan}”", where="price_plan")
        return plan
    if not enquiry.msisdn:
        return None
    number = plain_msisdn(enquiry.msisdn)
    subscriber_id = holders_at(MSISDN, [number], now).get((owner.id, number))
    if subscriber_id is None:
        raise NotFound(f"no subscriber has the MSISDN {number}", code="unknown_msisdn", where="msisdn")
    held = (
        PlanAssignment.objects.filter(
            Q(end__isnull=True) | Q(end__gt=start), subscriber_id=subscriber_id, start__lte=start
        )
        .select_related("price_plan")
        .first()
    )
    if held is None:
        raise NotFound(
            f"the subscriber with MSISDN {number} has no price plan then",
            code="no_price_plan",
            where="msisdn",
        )
    return held.price_plan
