"""Telling a session's gateway to re-authorise or to end: written by anybody, sent by the owner of the connection."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import IntegrityError, transaction

from apps.charging.models import ChargingSession
from apps.charging.services.sessions import release_session
from apps.diameter.models import Connection, SessionOrder
from apps.diameter.protocol.codes import ResultCode
from apps.kernel.errors import Conflict

MAX_ORDERS_AT_ONCE = 500
ORDERS_EXPIRE_AFTER = timedelta(minutes=2)
"""An order that nobody could send for so long is out of date."""


class Route(NamedTuple):
    """How a session's client is reached."""

    host: str
    realm: str
    """Empty = that of the connected peer."""
    peer_host: str
    """Whose connection leads there, in small letters."""


def route_from_text(text: str) -> Route:
    """The reverse of the route that ``credit_control.requests`` writes."""
    host, _, rest = text.partition("/")
    realm, _, agent = rest.partition("/")
    return Route(host, realm, (agent or host).lower())


def order_reauthorisation(
    session: ChargingSession, cause: str, now: datetime, rating_group: int | None = None
) -> SessionOrder | None:
    """Have the client ask anew for all its quotas, or for one. None if ``cause`` has ordered it before."""
    return _order(SessionOrder.Kind.REAUTHORISE, session, cause, now, rating_group)


def order_abort(session: ChargingSession, cause: str, now: datetime) -> SessionOrder | None:
    """Have the client end the session; it then terminates it with what was used. None as above."""
    return _order(SessionOrder.Kind.ABORT, session, cause, now, None)


def _order(
    kind: SessionOrder.Kind, session: ChargingSession, cause: str, now: datetime, rating_group: int | None
) -> SessionOrder | None:
    if session.status != ChargingSession.Status.OPEN:
        raise Conflict(f"session {session.session_id} is not open; there is nobody to tell")
    if not session.peer:
        raise Conflict(f"session {session.session_id} did not come over Diameter; it has no gateway to tell")
    try:
        with transaction.atomic():
            return SessionOrder.objects.create(
                kind=kind,
                session_id=session.session_id,
                session_row=session.pk or 0,
                route=session.peer,
                peer_host=route_from_text(session.peer).peer_host,
                rating_group=rating_group,
                cause=cause,
                created_at=now,
            )
    except IntegrityError:
        return None


def take_orders(process_key: str, now: datetime) -> list[SessionOrder]:
    """The orders that this process can send, marked as sent; each is taken once, whoever asks.

    A re-authorisation waits for the next second: requests tell their time in whole ones, and what follows from a plan
    that began within this second would be asked for before it.
    """
    if not SessionOrder.objects.filter(status=SessionOrder.Status.PENDING).exists():
        return []
    SessionOrder.objects.filter(
        status=SessionOrder.Status.PENDING, created_at__lt=now - ORDERS_EXPIRE_AFTER
    ).update(
        status=SessionOrder.Status.FAILED, finished_at=now, detail="the gateway was not connected in time"
    )
    hosts = list(Connection.objects.filter(process_id=process_key).values_list("peer_host", flat=True))
    if not hosts:
        return []
    with transaction.atomic():
        orders = list(
            SessionOrder.objects.select_for_update()
            .filter(status=SessionOrder.Status.PENDING, peer_host__in=hosts)
            .exclude(kind=SessionOrder.Kind.REAUTHORISE, created_at__gte=now.replace(microsecond=0))
            .order_by("id")[:MAX_ORDERS_AT_ONCE]
        )
        SessionOrder.objects.filter(id__in=[order.id for order in orders]).update(
            status=SessionOrder.Status.SENT, sent_at=now
        )
    return orders


def subscribers_of(orders: Sequence[SessionOrder]) -> list[int]:
    """Whose sessions the orders are about."""
    rows = ChargingSession.objects.filter(id__in=[order.session_row for order in orders])
    return list(rows.values_list("subscriber_id", flat=True))


def give_back(order_id: int) -> None:
    """An order that was taken and could not be sent: it is pending again."""
    SessionOrder.objects.filter(id=order_id).update(status=SessionOrder.Status.PENDING, sent_at=None)


def finish_order(order_id: int, result_code: int | None, detail: str, now: datetime) -> None:
    """Note the answer, or why there is none. A session that its client does not know is released."""
    done = result_code is not None and 2000 <= result_code < 3000
    SessionOrder.objects.filter(id=order_id).update(
        status=SessionOrder.Status.DONE if done else SessionOrder.Status.FAILED,
        result_code=result_code,
        detail=detail[:200],
        finished_at=now,
    )
    if result_code == ResultCode.UNKNOWN_SESSION_ID:
        order = SessionOrder.objects.get(id=order_id)
        if ChargingSession.objects.filter(id=order.session_row, status=ChargingSession.Status.OPEN).exists():
            release_session(order.session_row, now)
