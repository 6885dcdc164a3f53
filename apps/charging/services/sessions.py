"""Sessions that end without their client: silent ones, those the operator ends, and how long old ones are kept."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef

from apps.charging.domain.requests import ChargingAnswer, OnlineRequest, Operation
from apps.charging.models import ChargingSession, FailedRequest, Reservation, StoredAnswer
from apps.charging.services.executor import charge_all, charge_now
from apps.kernel.errors import NotFound

SESSIONS_A_BATCH = 200
ROWS_A_DELETE = 5_000


def end_silent_sessions(now: datetime, limit: int = 5_000) -> int:
    """Release what sessions hold whose supervision time is over; how many ended.

    A session that reports at this moment goes on: the time is looked at again under its account's lock. Doing
    it from several processes at once changes nothing.
    """
    ended = 0
    while ended < limit:
        due = list(
            ChargingSession.objects.filter(status=ChargingSession.Status.OPEN, due_at__lte=now)
            .order_by("due_at")
            .values_list("pk", "session_id", "sub_session", "expires_at")[:SESSIONS_A_BATCH]
        )
        silent = [(session_id, sub) for _, session_id, sub, expires_at in due if expires_at <= now]
        # Most have reported since: they are looked at again when their time is over as it stands now.
        ChargingSession.objects.filter(
            pk__in=[pk for pk, _, _, expires_at in due if expires_at > now], due_at__lte=now
        ).update(due_at=F("expires_at"))
        if silent:
            charge_all([_ending(Operation.EXPIRE, session_id, sub, now) for session_id, sub in silent], now)
        ended += len(silent)
        if len(due) < SESSIONS_A_BATCH:
            break
    return ended


def release_session(row_id: int, now: datetime) -> ChargingAnswer:
    """End a session for the operator: what it holds goes back. Raises NotFound.

    Its client is not told; the Diameter server sends it an ASR if it has the connection.
    """
    found = ChargingSession.objects.filter(pk=row_id).values_list("session_id", "sub_session").first()
    if found is None:
        raise NotFound(f"there is no session {row_id}")
    return charge_now(_ending(Operation.RELEASE, *found, now), now)


def forget_old(now: datetime) -> tuple[int, int]:
    """Delete answers and ended sessions that are older than is kept; how many of each.

    An answer is kept for as long as its request may be repeated, a session for as long as its usage may be asked for.
    Failed requests go with either once they are settled.
    """
    answered = StoredAnswer.objects.filter(key=OuterRef("key"))
    FailedRequest.objects.filter(Exists(answered)).delete()
    FailedRequest.objects.filter(
        settled_at__lt=now - timedelta(hours=settings.CHARGING_SESSIONS_KEPT_H)
    ).delete()
    answers = _delete_answers(now - timedelta(hours=settings.CHARGING_ANSWERS_KEPT_H))
    sessions = 0
    before = now - timedelta(hours=settings.CHARGING_SESSIONS_KEPT_H)
    while True:
        old = list(
            ChargingSession.objects.exclude(status=ChargingSession.Status.OPEN)
            .filter(due_at__lt=before, expires_at__lt=before, updated_at__lt=before)
            .values_list("pk", flat=True)[:ROWS_A_DELETE]
        )
        if not old:
            return answers, sessions
        with transaction.atomic():
            Reservation.objects.filter(session_id__in=old).delete()
            ChargingSession.objects.filter(pk__in=old).delete()
        sessions += len(old)


def _ending(operation: Operation, session_id: str, sub_session: int, now: datetime) -> OnlineRequest:
    return OnlineRequest(operation, session_id, -1, now, sub_session=sub_session)


def _delete_answers(before: datetime) -> int:
    """The oldest rows have the lowest ids, so the table is read from its beginning and no further than needed."""
    deleted = 0
    while True:
        portion = list(StoredAnswer.objects.order_by("pk").values_list("pk", "answered_at")[:ROWS_A_DELETE])
        old = [pk for pk, answered_at in portion if answered_at < before]
        if not old:
            return deleted
        StoredAnswer.objects.filter(pk__gte=old[0], pk__lte=old[-1], answered_at__lt=before).delete()
        deleted += len(old)
        if len(old) < ROWS_A_DELETE:
            return deleted
