"""Who pays for an item of a request, and from what: found once for the item, used by every operation."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from apps.charging.domain.balances import Use
from apps.charging.domain.books import Books
from apps.charging.domain.requests import ChargingRequest, RequestItem, Result
from apps.charging.domain.sessions import Meter
from apps.charging.domain.spending import Spender
from apps.charging.domain.state import QuotaPolicy, State
from apps.charging.domain.usage_book import (
    CounterKey,
    Grant,
    Line,
    PlanPeriod,
    ServiceInfo,
    UsageRefused,
    in_order_of_use,
)
from apps.kernel.periods import month_of
from apps.rating.domain import Rater
from apps.rating.domain.usage import VOICE

CLOCK_TOLERANCE = timedelta(days=1)
"""How far a client's clock may be from ours before its instants are not believed."""


class Refusal(NamedTuple):
    """Why a request is refused: the result, a stable code, and the same for people."""

    result: Result
    reason: str
    message: str


class Payment(NamedTuple):
    """How one item is paid for. ``postpaid`` usage is authorised without limit and billed from its records."""

    service: str
    type_of_record: str
    subject: str
    policy: QuotaPolicy
    spender: Spender
    postpaid: bool


def moment_of(request: ChargingRequest, now: datetime) -> datetime:
    """When the request happened: its own time, unless the client's clock is out of its mind."""
    return request.at if abs(request.at - now) <= CLOCK_TOLERANCE else now


def find_payment(state: State, books: Books, rater: Rater, meter: Meter, item: RequestItem) -> Payment:
    """How the usage of ``meter`` from its position on is paid for.

    Usage counts as of its start: a call's is the call's, other usage's is the last report. Price plan and month
    follow from that. Raises UsageRefused (``unknown_service``, ``no_price_plan``).
    """
    line, account = state.line, state.account
    assert line is not None
    assert account is not None
    service = state.world.services.get(item.service)
    if service is None:
        raise UsageRefused(f"there is no service “{item.service}”", code="unknown_service")
    start = meter.started_at if service.type_of_record == VOICE else meter.reported_at
    plan = _plan_at(line, start)
    use = Use(line.tenant, service.category, service.type_of_record, rater.stem(meter.destination), line.zone)
    grants = grants_at(line, plan, item.service, service, start) if account.prepaid else ()
    overdrawn = books.default_balance(account).balance_id if account.allow_negative else None
    spender = Spender(
        rater,
        use,
        meter.destination,
        plan.subject,
        account.account_id,
        books.with_grants(grants, account.account_id, service.type_of_record),
        state.world.groups,
        books.seed,
        overdrawn,
    )
    return Payment(
        item.service,
        service.type_of_record,
        plan.subject,
        state.world.policy(item.service, plan.price_plan_id),
        spender,
        not account.prepaid,
    )


def grants_at(
    line: Line, plan: PlanPeriod, service_code: str, service: ServiceInfo, start: datetime
) -> tuple[tuple[CounterKey, Grant], ...]:
    """Free units of the plan and the bundles for a service in the month of ``start``, in order of use."""
    grants = plan.grants.get(service_code, ())
    extra: list[Grant] = []
    for bundle in line.bundles:
        if bundle.start <= start < bundle.end:
            extra.extend(bundle.grants.get(service_code, ()))
    if extra:
        grants = in_order_of_use((*grants, *extra))
    if not grants:
        return ()
    year, month = month_of(start, line.zone)
    return tuple(
        (CounterKey(line.subscriber_id, year, month, service.service_id, grant.origin), grant)
        for grant in grants
    )


def _plan_at(line: Line, start: datetime) -> PlanPeriod:
    for plan in line.plans:
        if plan.start <= start < plan.end:
            return plan
    raise UsageRefused(f"no price plan was valid at {start:%Y-%m-%d %H:%M:%S} UTC", code="no_price_plan")
