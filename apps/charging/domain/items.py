"""Who pays for an item of a request, and from what: found once for the item, used by every operation."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from apps.charging.domain.balances import Balance, kind_for, plain_balance
from apps.charging.domain.books import Books
from apps.charging.domain.lines import CounterKey, Grant, Line, PayingTerms, UsageRefused, Use
from apps.charging.domain.requests import OnlineRequest, Result, Units
from apps.charging.domain.sessions import Reading
from apps.charging.domain.spending import Payment
from apps.charging.domain.state import ChargingConfig, State
from apps.kernel.errors import BssError
from apps.kernel.periods import month_of
from apps.kernel.units import CALLS, NANO, VOICE_NS
from apps.rating.domain import Rater
from apps.rating.domain.runs import DEFAULT_RUN
from apps.rating.domain.usage import MAX_VOICE_SESSION_S, VOICE

CLOCK_TOLERANCE = timedelta(days=1)
"""How far a client's clock may be from ours before its instants are not believed."""


class Refusal(NamedTuple):
    """Why a request is refused: the result, a stable code, and the same for people."""

    result: Result
    reason: str
    message: str


class InvalidUnits(BssError):
    """Units that cannot be charged for at any price: the client has sent a value that it cannot mean."""

    code = "invalid_units"


LARGEST_REPORTS: Mapping[str, int] = {
    VOICE: MAX_VOICE_SESSION_S,
    VOICE_NS: MAX_VOICE_SESSION_S * NANO,
}
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


def moment_of(request: OnlineRequest, now: datetime) -> datetime:
    """When the request happened: its own time, unless the client's clock is out of its mind."""
    return request.at if abs(request.at - now) <= CLOCK_TOLERANCE else now


def find_payment(
    state: State, books: Books, rater: Rater, meter: Reading, service_code: str, mode: str = ""
) -> Payment:
    """How the usage of ``meter`` from its position on is paid for.

    Usage counts as of its start: a call's is the call's, other usage's is the last report. Price plan and month
    follow from that. ``mode`` is the item's own. Raises UsageRefused (``unknown_service``, ``no_price_plan``).
    """
    line, account = state.line, state.account
    assert line is not None
    assert account is not None
    terms = _terms_of(line, state.config, service_code, meter)
    account_id = account.account_id
    debited = account.is_debited(mode) if mode or account.charging_mode else account.prepaid
    balances: Mapping[int, Balance] = books.balances
    barred_members = state.barred_members
    if barred_members:
        balances = {
            balance_id: balance
            for balance_id, balance in balances.items()
            if balance.account_id not in barred_members
        }
    overdrawn = books.default_balance(account).balance_id if account.allow_negative else None
    grants = _grants_of(line, terms, meter) if terms.has_free_units and debited else ()
    return Payment(
        rater,
        terms,
        meter.destination,
        account_id,
        books.with_grants(balances, grants, account_id, kind_for(terms.use.type_of_record))
        if grants
        else balances,
        state.config.groups,
        books.seed,
        overdrawn,
        None if grants else plain_balance(balances, account_id),
        not debited,
        terms.has_free_units or bool(barred_members) or bool(books.members),
        books.members,
    )


def _terms_of(line: Line, config: ChargingConfig, service_code: str, meter: Reading) -> PayingTerms:
    """The line's terms for the service: those that it keeps, if they are still in force."""
    known = line.terms.get(service_code)
    if known is not None and known.source is config:
        plan = known.plan
        if plan.start <= known.begins_at(meter.started_at, meter.reported_at) < plan.end:
            return known
    terms = line.terms[service_code] = _new_terms(line, config, service_code, meter)
    return terms


def _new_terms(line: Line, config: ChargingConfig, service_code: str, meter: Reading) -> PayingTerms:
    service = config.services.get(service_code)
    if service is None:
        raise UsageRefused(f"there is no service “{service_code}”", code="unknown_service")
    start = meter.started_at if service.type_of_record in CALLS else meter.reported_at
    plan = line.plan_at(start)
    if plan is None:
        raise UsageRefused(f"no price plan was valid at {start:%Y-%m-%d %H:%M:%S} UTC", code="no_price_plan")
    return PayingTerms(
        config,
        service_code,
        service.service_id,
        plan,
        config.policy(service_code, plan.price_plan_id),
        Use(line.tenant, service.category, service.type_of_record, line.zone),
        service_code in plan.grants or any(service_code in bundle.grants for bundle in line.bundles),
    )


def free_units_used(books: Books, line: Line, terms: PayingTerms, meter: Reading) -> int:
    """How many free units of the service the line has used, or holds, in the month in which the usage begins.

    Counted like the usage of ``terms``.
    """
    year, month = month_of(terms.begins_at(meter.started_at, meter.reported_at), line.zone)
    wanted = line.subscriber_id, year, month, terms.service_id
    units = sum(
        counter.used + counter.reserved
        for key, counter in books.counters.items()
        if key[:4] == wanted and key.run == DEFAULT_RUN
    )
    return units * NANO if terms.use.type_of_record == VOICE_NS else units


def _grants_of(line: Line, terms: PayingTerms, meter: Reading) -> tuple[tuple[CounterKey, Grant], ...]:
    """Free units of the service in the month in which the usage begins, in order of use."""
    start = terms.begins_at(meter.started_at, meter.reported_at)
    grants = line.grants_at(terms.plan, terms.service, start)
    if not grants:
        return ()
    year, month = month_of(start, line.zone)
    return tuple(
        (CounterKey(line.subscriber_id, year, month, terms.service_id, grant.origin), grant)
        for grant in grants
    )
