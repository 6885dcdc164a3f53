"""Find what charged a piece of usage in real time: a session, or an event without one."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import QuerySet

from apps.charging.domain.charge import key_of_session
from apps.charging.domain.sessions import SessionStatus
from apps.charging.models import AllowanceEntry, ChargingSession, LedgerEntry
from apps.charging.services.rows import meters_from_text
from apps.kernel.periods import as_utc

_LONGEST_SESSION = timedelta(days=366)


class SessionUse(NamedTuple):
    """What a session used of one service: seconds, octets or events, from ``started_at`` on."""

    row_id: int
    is_open: bool
    updated_at: datetime
    started_at: datetime
    used: int
    destination: str


def session_use(
    session_id: str, subscriber_id: int, service: str, start: datetime, tolerance: timedelta
) -> SessionUse | None:
    """The subscriber's session of that id, else the one whose use of the service began nearest to ``start``.

    By time it is one that began within the tolerance of ``start``, or was under way then.
    """
    of_subscriber = ChargingSession.objects.filter(subscriber_id=subscriber_id)
    if session_id:
        uses = _uses(of_subscriber.filter(key=key_of_session(session_id)), service)
        if uses:
            return uses[0]
    around = of_subscriber.filter(
        account__payers__subscriber_id=subscriber_id,
        opened_at__lte=start + tolerance,
        opened_at__gte=start - _LONGEST_SESSION,
        updated_at__gte=start - tolerance,
    )
    return min(_uses(around, service), key=lambda use: abs(use.started_at - start), default=None)


def session_use_of(row_id: int, service: str) -> SessionUse | None:
    """What a session used of the service, as it stands now."""
    return next(iter(_uses(ChargingSession.objects.filter(pk=row_id), service)), None)


def event_cause(
    account_id: int,
    subscriber_id: int,
    service: str,
    start: datetime,
    tolerance: timedelta,
    claimed: Collection[str],
) -> str:
    """The cause of a debit without a session, of money or free units, nearest to ``start``; empty if there is none."""
    within = {"at__gte": start - tolerance, "at__lte": start + tolerance, "cause__startswith": "event:"}
    money = LedgerEntry.objects.filter(
        balance__account_id=account_id, kind=LedgerEntry.Kind.USAGE, note=service, **within
    ).values_list("at", "cause")
    free = AllowanceEntry.objects.filter(
        counter__subscriber_id=subscriber_id, counter__service__code=service, **within
    ).values_list("at", "cause")
    # One event may have several entries: event:<digest>:…
    found = {(abs(at - start), ":".join(cause.split(":")[:2])) for at, cause in (*money, *free)}
    return next((cause for _, cause in sorted(found) if cause not in claimed), "")


def _uses(rows: QuerySet[ChargingSession], service: str) -> list[SessionUse]:
    uses = []
    for pk, status, updated_at, text in rows.values_list("pk", "status", "updated_at", "meters"):
        meters = [meter for meter in meters_from_text(text, {}) if meter.service == service]
        if meters:
            uses.append(
                SessionUse(
                    pk,
                    status == SessionStatus.OPEN,
                    as_utc(updated_at),
                    min(meter.started_at for meter in meters),
                    sum(meter.units for meter in meters),
                    meters[0].destination,
                )
            )
    return uses
