"""The shortest way through ``charge``, for what most requests are: one quota, paid by one balance of money.

It says what the general way says, in a third of the time, or nothing at all: everything unusual (free units, terms
of balances, several quotas, a tariff change ahead, no money, no price) is left to the general way by returning None.
The tests charge every request both ways.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from apps.charging.domain.balances import ANY_USE
from apps.charging.domain.books import REVENUE, USAGE
from apps.charging.domain.items import CLOCK_TOLERANCE, InvalidUnits, used_amount
from apps.charging.domain.money_items import MONEY_RUN
from apps.charging.domain.policies import QuotaPolicy
from apps.charging.domain.requests import (
    AnswerItem,
    ChargingAnswer,
    OnlineRequest,
    Operation,
    Result,
    TariffChange,
)
from apps.charging.domain.sessions import (
    LONGEST_SESSION_ID,
    NO_RUN,
    Hold,
    Meter,
    Session,
    SessionStatus,
    end_of_supervision,
)
from apps.charging.domain.state import Entry, Outcome, State
from apps.charging.domain.tariff_change import next_tariff_change
from apps.kernel.units import TypeOfRecord
from apps.rating.domain import Rater, RatingError, Usage

_VOICE = TypeOfRecord.VOICE.value
_MONEY = "monetary"
# Looking a member of an enumeration up, and calling a NamedTuple's class, cost several times what these do.
_INITIATE, _UPDATE, _TERMINATE = Operation.INITIATE, Operation.UPDATE, Operation.TERMINATE
_OPEN, _CLOSED = SessionStatus.OPEN, SessionStatus.CLOSED
_SUCCESS, _NO_CHANGE = Result.SUCCESS, TariffChange.NONE
_new: Callable[[type[Any], tuple[object, ...]], Any] = tuple.__new__


# One function without calls is the point of it (decision 25).
def charge_quickly(  # noqa: C901, PLR0915
    state: State, request: OnlineRequest, rater: Rater, now: datetime
) -> Outcome | None:
    """The outcome of a usual request of a session; None for any other."""
    config, line, account, balances, counters, session, barred, _, new_row, fresh_id, bounds, *_ = state
    if len(request.items) != 1 or len(balances) != 1 or account is None or line is None:
        return None
    if (
        barred
        or account.barred
        or account.allow_negative
        or not account.prepaid
        or account.charging_mode
        or line.bundles
    ):
        return None
    operation, item, moment = request.operation, request.items[0], request.at
    ((balance_id, balance),) = balances.items()
    service = config.services.get(item.service)
    if (
        service is None
        or balance.terms != ANY_USE
        or balance.kind != _MONEY
        or balance.account_id != account.account_id
        or item.money_micros is not None
        or item.charging_mode
        or len(item.used) > 1
        or abs(moment - now) > CLOCK_TOLERANCE
    ):
        return None
    ends = operation is _TERMINATE
    holds: tuple[Hold, ...] = ()
    if session is None:
        if operation is not _INITIATE or item.used or len(request.session_id) > LONGEST_SESSION_ID:
            return None
        row_id = new_row
        destination, started_at, reported_at = item.destination, moment, moment
        position = covered = run_from = cost_micros = unpaid_micros = free_units = unrated_units = 0
        run = NO_RUN
    else:
        if session.status != _OPEN or len(session.meters) != 1 or session.owner != request.owner:
            return None
        if operation is not _UPDATE and not ends:
            return None
        row_id = session.row_id
        (
            code,
            group,
            identifier,
            destination,
            started_at,
            reported_at,
            position,
            covered,
            run,
            run_from,
            _,
            holds,
            change_at,
            cost_micros,
            unpaid_micros,
            free_units,
            unrated_units,
            passed,
            in_ns,
        ) = session.meters[0]
        if code != item.service or group != item.rating_group or identifier != item.service_identifier:
            return None
        if (
            passed
            or in_ns
            or change_at is not None
            or (run[:1] == "*" and (run.startswith("*zero:") or run == MONEY_RUN))
        ):
            return None
    tor = service.type_of_record
    voice = tor == _VOICE
    begins = started_at if voice else reported_at
    last = begins if voice else moment
    for plan in line.plans:
        if plan.start <= begins < plan.end:
            break
    else:
        return None
    if item.service in plan.grants or not plan.start <= last < plan.end:
        return None
    value, reserved = balance.value, balance.reserved
    for hold in holds:
        if hold.balance_id != balance_id:
            return None
        reserved -= hold.amount
    subject, debited, wanted = plan.subject, 0, 0
    granted: int | None = None
    new_holds: tuple[Hold, ...] = ()
    policy: QuotaPolicy | None = None
    try:
        if item.used:
            used = item.used[0]
            if used.tariff_change is not _NO_CHANGE or used.units.time_ns is not None:
                return None
            if request.totals:
                end = used_amount(used.units, tor, 0)
                if end < position or unrated_units or used.units.amount(tor) is None:
                    return None
            else:
                end = position + max(used_amount(used.units, tor, position), 0)
            start = covered if covered > position else position
            if start < end:
                run_from = run_from if run == subject else start
                instant = started_at + timedelta(seconds=start) if voice else reported_at
                usage = _new(
                    Usage, (line.tenant, service.category, subject, tor, destination, instant, end - start)
                )
                rated = rater.rate(usage, start, run_from)
                debited = rated.cost_micros
                if not 0 <= debited <= value - reserved:
                    return None
                covered = start + max(rated.billed_usage, end - start)
                run = subject
            position = end
            if moment > reported_at:
                reported_at = moment
        value -= debited
        cost_micros += debited
        if ends or item.requested is None:
            answered = False
        else:
            answered = True
            if item.requested.time_ns is not None:
                return None
            if moment > reported_at:
                reported_at = moment
            policy = config.policy(item.service, plan.price_plan_id)
            wanted = policy.units_to_grant(item.requested.amount(tor), tor)
            end = position + wanted
            start = covered if covered > position else position
            price, reached = 0, end
            instant = started_at + timedelta(seconds=start) if voice else reported_at
            amount = end - start if end > start else 1
            usage = _new(Usage, (line.tenant, service.category, subject, tor, destination, instant, amount))
            if start < end:
                part, rated = rater.rate_within(
                    usage, value - reserved, start, run_from if run == subject else start
                )
                price = rated.cost_micros
                if part <= 0 or price < 0:
                    return None
                reached = min(start + max(rated.billed_usage, part), end)
            if not voice and next_tariff_change(rater, usage, policy.validity_s) is not None:
                return None
            granted = reached - position
            if granted == 0 and wanted > 0:
                return None
            new_holds = (_new(Hold, (balance_id, price)),) if price else ()
            reserved += price
    except (RatingError, InvalidUnits):
        return None
    meter: Meter = _new(
        Meter,
        (
            item.service,
            item.rating_group,
            item.service_identifier,
            destination,
            started_at,
            reported_at,
            position,
            covered,
            run,
            run_from,
            granted or 0,
            new_holds,
            None,
            cost_micros,
            unpaid_micros,
            free_units,
            unrated_units,
            (),
            False,
        ),
    )
    validity_s = policy.validity_s if policy is not None else 0
    answer_item: AnswerItem = _new(
        AnswerItem,
        (
            item.service,
            _SUCCESS,
            item.rating_group,
            item.service_identifier,
            tor if item.used or answered else "",
            granted,
            policy.final if policy is not None and granted is not None and granted < wanted else None,
            debited,
            0,
            validity_s,
            policy.quota_holding_s if policy is not None else None,
            granted * policy.threshold_percent // 100
            if policy is not None and granted is not None and policy.threshold_percent and granted >= wanted
            else 0,
            None,
            "",
        ),
    )
    answer: ChargingAnswer = _new(
        ChargingAnswer,
        (
            _SUCCESS,
            (answer_item,),
            account.account_id,
            line.subscriber_id,
            account.currency,
            debited,
            value - reserved,
            None,
            validity_s,
            "",
            "",
            False,
        ),
    )
    after: Session = _new(
        Session,
        (
            row_id,
            request.session_id if session is None else session.session_id,
            request.sub_session,
            account.account_id,
            line.subscriber_id,
            moment if session is None else session.opened_at,
            now,
            session.expires_at if ends and session is not None else end_of_supervision(now, validity_s),
            _CLOSED if ends else _OPEN,
            request.number if session is None else max(session.last_number, request.number),
            request.peer if session is None else session.peer if ends else request.peer or session.peer,
            request.owner if session is None else session.owner,
            (meter,),
        ),
    )
    entries: tuple[Entry, ...] = ()
    if debited:
        cause = f"session:{row_id}:{request.number}:0.0:0"
        entry = (balance_id, moment, USAGE, REVENUE, -debited, cause, item.service, row_id)
        entries = (_new(Entry, entry),)
    changed = {balance_id: balance.holding(value, reserved)}
    return Outcome(answer, changed, counters, after, fresh_id, bounds, entries, state.members)
