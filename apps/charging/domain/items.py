"""Who pays for an item of a request, and from what: found once for the item, used by every operation."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from apps.charging.domain.balances import Balance, BalanceKind, Use
from apps.charging.domain.books import Books
from apps.charging.domain.requests import OnlineRequest, Result, Units
from apps.charging.domain.sessions import Reading
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
from apps.kernel.errors import BssError
from apps.kernel.periods import month_of
from apps.rating.domain import Rater
from apps.rating.domain.usage import MAX_VOICE_SESSION_S, VOICE

CLOCK_TOLERANCE = timedelta(days=1)
"""How far a client's clock may be from ours before its instants are not believed."""


class Refusal(NamedTuple):
    """Why a request is refused: the result, a stable code, and the same for people."""

    result: Result
    reason: str
    message: str


class InvalidUnits(BssError):
    """Units that cannot be charged for, whatever the price: the client has sent a value that it cannot mean."""

    code = "invalid_units"


LARGEST_REPORTS: Mapping[str, int] = {VOICE: MAX_VOICE_SESSION_S}
"""What one session may use of a service at most; more is a fault of the client's counters."""
LARGEST_OTHER_REPORT = 1 << 50


def check_amount(amount: int, type_of_record: str, used_before: int = 0) -> None:
    """Raise InvalidUnits (``absurd_amount``) for more than a session can use."""
    if used_before + amount > LARGEST_REPORTS.get(type_of_record, LARGEST_OTHER_REPORT):
        raise InvalidUnits(f"{amount} units of {type_of_record} cannot be", code="absurd_amount")


def used_amount(units: Units, type_of_record: str, used_before: int) -> int:
    """What a session reports of units; raises InvalidUnits (``absurd_amount``, ``unit_differs``).

    Seconds beside or instead of other units say how long the usage took, and are charged for voice alone.
    """
    amount = units.amount(type_of_record)
    if amount is None:
        if units._replace(time_s=None).in_other_units(type_of_record):
            raise InvalidUnits(f"{type_of_record} is not reported in such units", code="unit_differs")
        return 0
    check_amount(amount, type_of_record, used_before)
    return amount


def result_of(error: BssError) -> Result:
    """How an item ends that cannot be priced."""
    return Result.INVALID_VALUE if isinstance(error, InvalidUnits) else Result.RATING_FAILED


class Payment(NamedTuple):
    """How one item is paid for. ``postpaid`` usage is authorised without limit and billed from its records.

    It holds for usage that begins in ``[since, until)``; with free units in it, for one instant only.
    """

    service: str
    type_of_record: str
    subject: str
    policy: QuotaPolicy
    spender: Spender
    postpaid: bool
    since: datetime
    until: datetime

    def holds_at(self, start: datetime) -> bool:
        return self.since <= start < self.until


def moment_of(request: OnlineRequest, now: datetime) -> datetime:
    """When the request happened: its own time, unless the client's clock is out of its mind."""
    return request.at if abs(request.at - now) <= CLOCK_TOLERANCE else now


def find_payment(state: State, books: Books, rater: Rater, meter: Reading, service_code: str) -> Payment:
    """How the usage of ``meter`` from its position on is paid for.

    Usage counts as of its start: a call's is the call's, other usage's is the last report. Price plan and month
    follow from that. Raises UsageRefused (``unknown_service``, ``no_price_plan``).
    """
    line, account, world = state.line, state.account, state.world
    assert line is not None
    assert account is not None
    service = world.services.get(service_code)
    if service is None:
        raise UsageRefused(f"there is no service “{service_code}”", code="unknown_service")
    start = meter.started_at if service.type_of_record == VOICE else meter.reported_at
    plan = _plan_at(line, start)
    grants = grants_at(line, plan, service_code, service, start) if account.prepaid else ()
    account_id = account.account_id
    overdrawn = books.default_balance(account).balance_id if account.allow_negative else None
    balances = books.with_grants(grants, account_id, service.type_of_record) if grants else books.balances
    spender = Spender(
        rater,
        Use(
            line.tenant,
            service.category,
            service.type_of_record,
            rater.matched_prefix(meter.destination),
            line.zone,
        ),
        meter.destination,
        plan.subject,
        account_id,
        balances,
        world.groups,
        books.seed,
        overdrawn,
        _only_balance(balances, account_id),
    )
    return Payment(
        service_code,
        service.type_of_record,
        plan.subject,
        world.policy(service_code, plan.price_plan_id),
        spender,
        not account.prepaid,
        plan.start,
        # Free units are seen as they were: after a debit they have to be looked at again.
        plan.start if grants or line.bundles else plan.end,
    )


def _only_balance(balances: Mapping[int, Balance], account_id: int) -> int | None:
    """The balance that is all there is, if it is one of the account's money without any terms."""
    if len(balances) != 1:
        return None
    for balance in balances.values():
        if balance.account_id == account_id and balance[TERMS] == NO_TERMS and balance.kind == _MONEY:
            return balance.balance_id
    return None


# included … factors, groups: everything that limits what a balance pays for.
TERMS = slice(Balance._fields.index("included"), Balance._fields.index("overdraft"))
NO_TERMS = Balance(0, 0)[TERMS]
_MONEY = str(BalanceKind.MONETARY)


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
