"""Orders to the clients of sessions: ask for quotas again, or end the session.

Any process writes one. The process with the client's connection sends it: a Gy server as RAR or ASR (RFC 8506
section 5.5, RFC 6733 section 8.5), another session manager in its own way.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from apps.charging.domain.sessions import peer_of_route
from apps.charging.models import ChargingSession, SessionOrder
from apps.kernel.errors import Conflict

MAX_ORDERS_AT_ONCE = 500
ORDERS_EXPIRE_AFTER = timedelta(minutes=2)
"""An order that could not be sent for so long has expired."""


def order_reauthorisation(
    session: ChargingSession, cause: str, now: datetime, rating_group: int | None = None
) -> SessionOrder | None:
    """Have the client ask again for all its quotas, or for one. None if ``cause`` has ordered it before."""
    return _order(SessionOrder.Kind.REAUTHORISE, session, cause, now, rating_group)


def order_abort(session: ChargingSession, cause: str, now: datetime) -> SessionOrder | None:
    """Have the client end the session; it then terminates it with its usage. None as above."""
    return _order(SessionOrder.Kind.ABORT, session, cause, now, None)


def _order(
    kind: SessionOrder.Kind, session: ChargingSession, cause: str, now: datetime, rating_group: int | None
) -> SessionOrder | None:
    if session.status != ChargingSession.Status.OPEN:
        raise Conflict(f"session {session.session_id} is not open; it has no client to tell")
    if not session.peer:
        raise Conflict(f"session {session.session_id} has no client that can be told")
    try:
        with transaction.atomic():
            return SessionOrder.objects.create(
                kind=kind,
                session_id=session.session_id,
                session_row=session.pk or 0,
                route=session.peer,
                peer=peer_of_route(session.peer),
                rating_group=rating_group,
                cause=cause,
                created_at=now,
            )
    except IntegrityError:
        return None


def take_orders(peers: Collection[str], now: datetime) -> list[SessionOrder]:
    """The orders to the clients that these peers lead to, marked as sent; each is taken once, by any process.

    A re-authorisation waits for the next second: requests tell their time in whole ones, and what follows from a plan
    that began within this second would be asked for before it.
    """
    pending = SessionOrder.objects.filter(status=SessionOrder.Status.PENDING)
    if not pending.exists():
        return []
    pending.filter(created_at__lt=now - ORDERS_EXPIRE_AFTER).update(
        status=SessionOrder.Status.FAILED, finished_at=now, detail="its client was not connected in time"
    )
    if not peers:
        return []
    with transaction.atomic():
        orders = list(
            pending.select_for_update()
            .filter(peer__in=peers)
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


def finish_order(
    order_id: int,
    done: bool,
    result_code: int | None,
    detail: str,
    now: datetime,
    *,
    is_unknown: bool = False,
) -> None:
    """Note the answer, or why there is none. A session that its client does not know (``is_unknown``) is released."""
    SessionOrder.objects.filter(id=order_id).update(
        status=SessionOrder.Status.DONE if done else SessionOrder.Status.FAILED,
        result_code=result_code,
        detail=detail[:200],
        finished_at=now,
    )
    if is_unknown:
        # Every command imports this module; the executor behind a release costs it a tenth of its start.
        from apps.charging.services.sessions import release_session

        order = SessionOrder.objects.get(id=order_id)
        if ChargingSession.objects.filter(id=order.session_row, status=ChargingSession.Status.OPEN).exists():
            release_session(order.session_row, now)
