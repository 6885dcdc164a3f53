"""``charge``: one request against one state. The whole of real-time charging, as a pure function.

Sessions are here; what happens at once is in :mod:`apps.charging.domain.events`, movements of balances are in
:mod:`apps.charging.domain.orders`.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from hashlib import blake2b

from apps.charging.domain.answers import answer_of, refuse
from apps.charging.domain.books import Books
from apps.charging.domain.events import charge_event, enquire
from apps.charging.domain.express import charge_quickly
from apps.charging.domain.items import Refusal, moment_of
from apps.charging.domain.nanoseconds import counts_nanoseconds, in_nanoseconds, marked
from apps.charging.domain.orders import carry_out
from apps.charging.domain.quotas import serve_items
from apps.charging.domain.requests import (
    OnlineRequest,
    Operation,
    Result,
)
from apps.charging.domain.sessions import (
    LONGEST_SESSION_ID,
    Meter,
    Session,
    SessionStatus,
    end_of_supervision,
)
from apps.charging.domain.state import Outcome, State
from apps.rating.domain import Rater

# Constants, because looking a member of an enumeration up costs several times as much.
INITIATE, TERMINATE = Operation.INITIATE, Operation.TERMINATE
RELEASE, EXPIRE = Operation.RELEASE, Operation.EXPIRE
OPEN, CLOSED = SessionStatus.OPEN, SessionStatus.CLOSED
SUCCESS = Result.SUCCESS


def charge(state: State, request: OnlineRequest, rater: Rater, now: datetime) -> Outcome:
    """Carry out ``request``; the state afterwards, the answer and the ledger entries.

    ``now`` is the server's clock: it drives validity and supervision, and replaces a request's own time if that
    is more than a day off. Refusals are answers, with a result and a reason; nothing is raised for them.
    """
    return charge_quickly(state, request, rater, now) or charge_generally(state, request, rater, now)


def charge_generally(state: State, request: OnlineRequest, rater: Rater, now: datetime) -> Outcome:
    """:func:`charge` by the rules alone, without the express way."""
    if counts_nanoseconds(state, request):
        state = in_nanoseconds(state)
        return marked(_charge(state, request, rater, now), state)
    return _charge(state, request, rater, now)


def _charge(state: State, request: OnlineRequest, rater: Rater, now: datetime) -> Outcome:
    books = Books(state, _cause_of(state, request), request.session_id)
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
        return Outcome.unchanged(state, refuse(state, request, refusal))
    if request.operation is INITIATE:
        return _open(state, books, request, rater, now)
    if request.operation in _ENQUIRIES:
        return Outcome.unchanged(state, enquire(state, books, request, rater, now))
    return charge_event(state, books, request, rater, now)


NOT_ITS_SESSION = "not_its_session"
_ORDERS = frozenset({Operation.TOP_UP, Operation.ADJUST, Operation.TRANSFER})
_IN_SESSION = frozenset({Operation.UPDATE, TERMINATE, RELEASE, EXPIRE})
_ENQUIRIES = frozenset({Operation.CHECK_BALANCE, Operation.PRICE_ENQUIRY, Operation.MAX_USAGE})


def _cause_of(state: State, request: OnlineRequest) -> str:
    """What the request's entries are caused by: its session's row and number, or the request's digest."""
    if state.session is not None:
        return f"session:{state.session.row_id}:{request.number}"
    if request.operation is INITIATE:
        return f"session:{state.new_session_row}:{request.number}"
    return f"event:{digest_of(request)}"


def digest_of(request: OnlineRequest) -> str:
    """A key of fixed length for the request's identity; equal for a repeat, and for nothing else.

    The owner is part of it: no peer gets the answer of another's request, or blocks it by sending the key first.
    """
    identity = f"{request.session_id}\0{request.sub_session}\0{request.number}\0{request.owner}"
    return blake2b(identity.encode(), digest_size=16).hexdigest()


def session_key(request: OnlineRequest) -> str:
    """A key of fixed length for the request's session (session id and sub-session)."""
    if len(request.session_id) > LONGEST_SESSION_ID:
        return _session_key(request.session_id, request.sub_session)
    return _known_session_key(request.session_id, request.sub_session)


def key_of_session(session_id: str, sub_session: int = 0) -> str:
    """A key of fixed length for a session of that id."""
    return _session_key(session_id, sub_session)


def _session_key(session_id: str, sub_session: int) -> str:
    return blake2b(f"{session_id}\0{sub_session}".encode(), digest_size=16).hexdigest()


_known_session_key = lru_cache(maxsize=5_000)(_session_key)


def _who(state: State) -> Refusal | None:
    """Why the request may not be charged, or None."""
    if state.line is None:
        return Refusal(Result.UNKNOWN_USER, "unknown_subscriber", "no subscriber has this number now")
    if state.account is None:
        return Refusal(Result.UNKNOWN_USER, "no_account", "no account pays for this subscriber")
    if state.barred:
        return Refusal(Result.BARRED, "subscriber_barred", "the subscriber is suspended or terminated")
    if state.account.barred:
        why = f"barred ({state.account.bar_reason})" if state.account.bar_reason else "closed"
        return Refusal(Result.BARRED, "account_barred", f"account {state.account.number} is {why}")
    return None


def _open(state: State, books: Books, request: OnlineRequest, rater: Rater, now: datetime) -> Outcome:
    assert state.line is not None
    assert state.account is not None
    if state.session is not None:
        refusal = Refusal(
            Result.UNABLE_TO_COMPLY,
            "session_exists",
            f"session {request.session_id} was opened before, by request {state.session.last_number}",
        )
        return Outcome.unchanged(state, refuse(state, request, refusal))
    if len(request.session_id) > LONGEST_SESSION_ID:
        refusal = Refusal(
            Result.UNABLE_TO_COMPLY,
            "session_id_too_long",
            f"the session id has {len(request.session_id)} characters; {LONGEST_SESSION_ID} are allowed",
        )
        return Outcome.unchanged(state, refuse(state, request, refusal))
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
        owner=request.owner,
    )
    books.session_row = session.row_id
    meters, items = serve_items(state, books, session, request, rater, moment, None)
    answer = answer_of(state, books, items, now)
    if answer.result is not SUCCESS:
        return Outcome.unchanged(state, answer)
    session = _after(session, request, meters, now, end_of_supervision(now, answer.validity_s))
    return books.outcome(answer, session)


def _in_session(state: State, books: Books, request: OnlineRequest, rater: Rater, now: datetime) -> Outcome:
    session = state.session
    if session is None or state.account is None:
        refusal = Refusal(
            Result.UNKNOWN_SESSION, "unknown_session", f"session {request.session_id} is not known here"
        )
        return Outcome.unchanged(state, refuse(state, request, refusal))
    if request.owner and session.owner and request.owner != session.owner:
        refusal = Refusal(
            Result.UNKNOWN_SESSION,
            NOT_ITS_SESSION,
            f"session {request.session_id} is not known for this peer",
        )
        return Outcome.unchanged(state, refuse(state, request, refusal))
    books.session_row = session.row_id
    if session.status != OPEN:
        return _after_the_end(state, books, session, request, rater, now)
    if request.operation in (RELEASE, EXPIRE):
        if request.operation is EXPIRE and now < session.expires_at:
            return Outcome.unchanged(state, answer_of(state, books, (), now))
        status = SessionStatus.EXPIRED if session.expires_at <= now else SessionStatus.RELEASED
        ended = _ended(books, session, status, request, now)
        answer = answer_of(state, books, (), now)
        return books.outcome(answer, ended)
    moment = moment_of(request, now)
    meters, items = serve_items(state, books, session, request, rater, moment, _who(state))
    answer = answer_of(state, books, items, now)
    if request.operation is TERMINATE:
        session = _after(session, request, meters, now, session.expires_at, CLOSED)
    else:
        session = _after(session, request, meters, now, end_of_supervision(now, answer.validity_s))
    return books.outcome(answer, session)


def _after_the_end(
    state: State, books: Books, session: Session, request: OnlineRequest, rater: Rater, now: datetime
) -> Outcome:
    """A report that comes after the supervision timer ended its session: used units are still debited."""
    refusal = Refusal(
        Result.UNKNOWN_SESSION, "session_ended", f"session {request.session_id} has ended ({session.status})"
    )
    reported = request._replace(
        items=tuple(
            item._replace(requested=None, money_micros=None if item.used_money_micros is None else 0)
            for item in request.items
            if item.used or item.used_money_micros
        )
    )
    if session.status == SessionStatus.EXPIRED and reported.items:
        meters, _ = serve_items(state, books, session, reported, rater, moment_of(request, now), None)
        session = _after(session, request, meters, now, session.expires_at, session.status)
    return books.outcome(refuse(state, request, refusal), session)


def _after(
    session: Session,
    request: OnlineRequest,
    meters: tuple[Meter, ...],
    now: datetime,
    expires_at: datetime,
    status: str = OPEN,
) -> Session:
    """The session after a request, with the request's connection while it is open."""
    return Session(
        session.row_id,
        session.session_id,
        session.sub_session,
        session.account_id,
        session.subscriber_id,
        session.opened_at,
        now,
        expires_at,
        status,
        max(session.last_number, request.number),
        (request.peer if status == OPEN else "") or session.peer,
        session.owner,
        meters,
    )


def _ended(books: Books, session: Session, status: str, request: OnlineRequest, now: datetime) -> Session:
    for meter in session.meters:
        books.void(meter.holds)
    return session._replace(
        status=status,
        updated_at=now,
        last_number=max(session.last_number, request.number),
        meters=tuple(meter._replace(holds=(), granted=0) for meter in session.meters),
    )
