"""``charge``: one request against one state. The whole of real-time charging, as a pure function.

Sessions are here; what happens at once is in :mod:`apps.charging.domain.events`, movements of balances are in
:mod:`apps.charging.domain.orders`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import blake2b

from apps.charging.domain.answers import answer_of, refuse
from apps.charging.domain.books import Books, cause_of
from apps.charging.domain.events import charge_event, enquire
from apps.charging.domain.items import Payment, Refusal, find_payment, moment_of
from apps.charging.domain.orders import carry_out
from apps.charging.domain.requests import (
    AnswerItem,
    ChargingAnswer,
    ChargingRequest,
    FinalUnit,
    Operation,
    RequestItem,
    Result,
    TariffChange,
)
from apps.charging.domain.sessions import Hold, Meter, Session, SessionStatus
from apps.charging.domain.state import Outcome, State
from apps.charging.domain.tariff_change import next_tariff_change
from apps.kernel.errors import BssError
from apps.rating.domain import Rater

SUPERVISION_FACTOR = 2
"""A session that is silent for this many validity times is ended (RFC 8506: Tcc)."""
DEFAULT_VALIDITY_S = 600


def charge(state: State, request: ChargingRequest, rater: Rater, now: datetime) -> Outcome:
    """Carry out ``request``; the state afterwards, the answer and the ledger entries.

    ``now`` is the server's clock: it drives validity and supervision, and replaces a request's own time where that
    is more than a day off. Refusals are answers, with a result and a reason; nothing is raised for them.
    """
    books = Books(state, cause_of(request, state.session, digest_of(request)), request.session_id)
    if request.operation in _ORDERS:
        return carry_out(state, books, request, now)
    if request.operation in _IN_SESSION:
        return _in_session(state, books, request, rater, now)
    refusal = _who(state)
    if (
        request.operation is Operation.PRICE_ENQUIRY
        and refusal is not None
        and refusal.result is Result.BARRED
    ):
        refusal = None
    if refusal is not None:
        return Outcome(state, refuse(state, request, refusal), ())
    if request.operation is Operation.RESERVE:
        return _open(state, books, request, rater, now)
    if request.operation in _ENQUIRIES:
        return Outcome(state, enquire(state, books, request, rater, now), ())
    return charge_event(state, books, request, rater, now)


_ORDERS = frozenset({Operation.TOP_UP, Operation.ADJUST, Operation.TRANSFER})
_IN_SESSION = frozenset({Operation.UPDATE, Operation.TERMINATE, Operation.RELEASE, Operation.EXPIRE})
_ENQUIRIES = frozenset({Operation.CHECK_BALANCE, Operation.PRICE_ENQUIRY, Operation.MAX_USAGE})


def digest_of(request: ChargingRequest) -> str:
    """A key of fixed length for the request's identity; equal for a repeat, and for nothing else."""
    identity = "\0".join((request.session_id, str(request.sub_session), str(request.number)))
    return blake2b(identity.encode(), digest_size=16).hexdigest()


def session_key(request: ChargingRequest) -> str:
    """A key of fixed length for the request's session (session id and sub-session)."""
    identity = f"{request.session_id}\0{request.sub_session}"
    return blake2b(identity.encode(), digest_size=16).hexdigest()


def _who(state: State) -> Refusal | None:
    """Why nobody may be charged, or None."""
    if state.line is None:
        return Refusal(Result.UNKNOWN_USER, "unknown_subscriber", "nobody has this number now")
    if state.account is None:
        return Refusal(Result.UNKNOWN_USER, "no_account", "no account pays for this subscriber")
    if state.barred:
        return Refusal(Result.BARRED, "subscriber_barred", "the subscriber is suspended or terminated")
    if state.account.barred:
        return Refusal(Result.BARRED, "account_barred", f"account {state.account.number} is closed")
    return None


def _open(state: State, books: Books, request: ChargingRequest, rater: Rater, now: datetime) -> Outcome:
    assert state.line is not None
    assert state.account is not None
    if state.session is not None:
        refusal = Refusal(
            Result.UNABLE_TO_COMPLY,
            "session_exists",
            f"session {request.session_id} was opened before, by request {state.session.last_number}",
        )
        return Outcome(state, refuse(state, request, refusal), ())
    moment = moment_of(request, now)
    session = Session(
        state.new_session_row,
        request.session_id,
        request.sub_session,
        state.account.account_id,
        state.line.subscriber_id,
        moment,
        now,
        now,
        peer=request.peer,
    )
    books.session_row = session.row_id
    session, items = _serve_items(state, books, session, request, rater, now)
    answer = answer_of(state, books, items, now)
    if answer.result is not Result.SUCCESS:
        return Outcome(state, answer, ())
    session = _touched(session, request, answer, now)
    return Outcome(books.state_after(session), answer, tuple(books.entries))


def _in_session(state: State, books: Books, request: ChargingRequest, rater: Rater, now: datetime) -> Outcome:
    session = state.session
    if session is None or state.account is None:
        refusal = Refusal(
            Result.UNKNOWN_SESSION, "unknown_session", f"session {request.session_id} is not known here"
        )
        return Outcome(state, refuse(state, request, refusal), ())
    books.session_row = session.row_id
    if session.status != SessionStatus.OPEN:
        return _after_the_end(state, books, session, request, rater, now)
    if request.operation in (Operation.RELEASE, Operation.EXPIRE):
        if request.operation is Operation.EXPIRE and now < session.expires_at:
            return Outcome(state, answer_of(state, books, (), now), ())
        status = SessionStatus.EXPIRED if session.expires_at <= now else SessionStatus.RELEASED
        ended = _ended(books, session, status, request, now)
        answer = answer_of(state, books, (), now)
        return Outcome(books.state_after(ended), answer, tuple(books.entries))
    session, items = _serve_items(state, books, session, request, rater, now)
    if request.operation is Operation.TERMINATE:
        session = _ended(books, session, SessionStatus.CLOSED, request, now)
        answer = answer_of(state, books, items, now)
    else:
        answer = answer_of(state, books, items, now)
        session = _touched(session, request, answer, now)
    return Outcome(books.state_after(session), answer, tuple(books.entries))


def _after_the_end(
    state: State, books: Books, session: Session, request: ChargingRequest, rater: Rater, now: datetime
) -> Outcome:
    """A report that comes after the supervision timer ended its session: used units are debited all the same."""
    refusal = Refusal(
        Result.UNKNOWN_SESSION, "session_ended", f"session {request.session_id} has ended ({session.status})"
    )
    reported = request._replace(
        items=tuple(item._replace(requested=None) for item in request.items if item.used)
    )
    if session.status == SessionStatus.EXPIRED and reported.items:
        session, _ = _serve_items(state, books, session, reported, rater, now)
        session = session._replace(last_number=max(session.last_number, request.number), updated_at=now)
    return Outcome(books.state_after(session), refuse(state, request, refusal), tuple(books.entries))


def _serve_items(
    state: State, books: Books, session: Session, request: ChargingRequest, rater: Rater, now: datetime
) -> tuple[Session, tuple[AnswerItem, ...]]:
    """Debit what each item used, then hold what each asks for, in the order of the request."""
    moment = moment_of(request, now)
    meters = {meter.key: meter for meter in session.meters}
    refusal = _who(state)
    debited: list[AnswerItem] = []
    for index, item in enumerate(request.items):
        key = (item.service, item.rating_group, item.service_identifier)
        meter = meters.get(key)
        if meter is None:
            began = session.opened_at if item.used else moment
            meter = Meter(*key, item.destination, began, began)
        meter, outcome = _report(state, books, meter, item, index, rater, moment)
        meters[key] = meter
        debited.append(outcome)
    answered: list[AnswerItem] = []
    for item, outcome in zip(request.items, debited, strict=True):
        if item.requested is not None and request.operation is not Operation.TERMINATE:
            key = (item.service, item.rating_group, item.service_identifier)
            if refusal is not None:
                outcome = outcome._replace(result=refusal.result, reason=refusal.reason, granted=0)
            elif outcome.result is Result.SUCCESS:
                meters[key], outcome = _grant(state, books, meters[key], item, outcome, rater, moment)
        answered.append(outcome)
    return session._replace(meters=tuple(meters.values())), tuple(answered)


def _report(
    state: State,
    books: Books,
    meter: Meter,
    item: RequestItem,
    index: int,
    rater: Rater,
    moment: datetime,
) -> tuple[Meter, AnswerItem]:
    """Give back what was held for the item's quota and debit what was used of it."""
    outcome = AnswerItem(item.service, Result.SUCCESS, item.rating_group, item.service_identifier)
    books.void(meter.holds)
    meter = meter._replace(holds=(), granted=0)
    if item.money_micros is not None:
        return meter, outcome._replace(result=Result.UNABLE_TO_COMPLY, reason="money_in_session")
    for part, used in enumerate(item.used):
        if used.tariff_change is TariffChange.AFTER and meter.tariff_change_at is not None:
            meter = meter._replace(reported_at=max(meter.reported_at, min(meter.tariff_change_at, moment)))
        try:
            payment = find_payment(state, books, rater, meter, item)
            amount = used.units.amount(payment.type_of_record) or 0
            if amount <= 0:
                continue
            meter, outcome = _debit(books, payment, meter, outcome, amount, f"{index}.{part}", moment)
        except BssError as error:
            service = state.world.services.get(item.service)
            units = used.units.amount(service.type_of_record) if service is not None else None
            meter = meter._replace(unrated_units=meter.unrated_units + (units or 0))
            outcome = outcome._replace(result=Result.RATING_FAILED, reason=error.code)
    if item.used:
        meter = meter._replace(reported_at=max(meter.reported_at, moment))
    return meter, outcome


def _debit(
    books: Books,
    payment: Payment,
    meter: Meter,
    outcome: AnswerItem,
    amount: int,
    piece: str,
    moment: datetime,
) -> tuple[Meter, AnswerItem]:
    if payment.postpaid:
        # Postpaid usage is billed from its records; online it is authorised and followed, not debited.
        return meter._replace(position=meter.position + amount), outcome._replace(
            type_of_record=payment.type_of_record
        )
    draw = payment.spender.draw(meter, amount, forced=True)
    books.debit(draw.takes, moment, piece, payment.service, payment.spender.overdrawn)
    meter = meter._replace(
        position=meter.position + amount,
        covered=draw.covered,
        run=draw.run,
        run_from=draw.run_from,
        cost_micros=meter.cost_micros + draw.cost_micros,
        unpaid_micros=meter.unpaid_micros + draw.unpaid_micros,
        free_units=meter.free_units + draw.free_units,
    )
    return meter, outcome._replace(
        type_of_record=payment.type_of_record,
        cost_micros=outcome.cost_micros + draw.cost_micros,
        unpaid_micros=outcome.unpaid_micros + draw.unpaid_micros,
    )


def _grant(
    state: State,
    books: Books,
    meter: Meter,
    item: RequestItem,
    outcome: AnswerItem,
    rater: Rater,
    moment: datetime,
) -> tuple[Meter, AnswerItem]:
    """Hold as much of what the item asks for as the balances buy."""
    assert item.requested is not None
    meter = meter._replace(reported_at=max(meter.reported_at, moment))
    try:
        payment = find_payment(state, books, rater, meter, item)
        policy = payment.policy
        asked = item.requested.amount(payment.type_of_record)
        wanted = policy.default_units if asked is None else asked
        if policy.max_units:
            wanted = min(wanted, policy.max_units)
        granted = wanted
        holds: tuple[Hold, ...] = ()
        change_at: datetime | None = None
        if not payment.postpaid:
            change_at = next_tariff_change(
                rater, payment.spender.usage(payment.subject, meter, meter.position, 1), policy.validity_s
            )
            draw = payment.spender.draw(meter, wanted)
            if change_at is not None:
                # The dearer side of the change decides, so that neither can overrun the balance.
                after = payment.spender.draw(meter._replace(reported_at=change_at), wanted)
                draw = min(draw, after, key=lambda other: (other.reached, -sum(other.takes.values())))
            granted = draw.reached - meter.position
            holds = books.hold(draw.takes, payment.spender.overdrawn)
    except BssError as error:
        return meter, outcome._replace(result=Result.RATING_FAILED, reason=error.code, granted=0)
    final: FinalUnit | None = policy.final if granted < wanted else None
    threshold = granted * policy.threshold_percent // 100 if final is None else 0
    if granted == 0 and wanted > 0:
        outcome = outcome._replace(result=Result.CREDIT_LIMIT_REACHED, reason="credit_limit_reached")
    return meter._replace(granted=granted, holds=holds, tariff_change_at=change_at), outcome._replace(
        type_of_record=payment.type_of_record,
        granted=granted,
        final=final,
        validity_s=policy.validity_s,
        quota_holding_s=policy.quota_holding_s,
        threshold=threshold,
        tariff_change_at=change_at,
    )


def _touched(session: Session, request: ChargingRequest, answer: ChargingAnswer, now: datetime) -> Session:
    validity = timedelta(seconds=answer.validity_s or DEFAULT_VALIDITY_S)
    return session._replace(
        updated_at=now,
        expires_at=now + SUPERVISION_FACTOR * validity,
        last_number=max(session.last_number, request.number),
        peer=request.peer or session.peer,
    )


def _ended(books: Books, session: Session, status: str, request: ChargingRequest, now: datetime) -> Session:
    for meter in session.meters:
        books.void(meter.holds)
    return session._replace(
        status=status,
        updated_at=now,
        last_number=max(session.last_number, request.number),
        meters=tuple(meter._replace(holds=(), granted=0) for meter in session.meters),
    )
