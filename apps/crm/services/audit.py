"""The audit record of both doors: who did what, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings

from apps.crm.domain.access import Caller
from apps.crm.models import ApiCall


class Recorded(NamedTuple):
    """An audit record. ``target`` names what it was about ("subscriber 12"), never a PIN or a token.

    ``outcome`` is ok or the error's code.
    """

    now: datetime
    door: str
    operation: str
    caller: Caller | None
    outcome: str = "ok"
    target: str = ""
    detail: str = ""
    remote: str = ""
    request_id: str = ""
    repeated: bool = False


def record_call(record: Recorded) -> None:
    """Write one audit record. Of a change that succeeds, call it in the change's own transaction."""
    _row(record).save(force_insert=True)


def record_calls(records: Iterable[Recorded]) -> None:
    """As :func:`record_call`, for changes that commit together."""
    ApiCall.objects.bulk_create([_row(record) for record in records])


def _row(record: Recorded) -> ApiCall:
    caller = record.caller
    return ApiCall(
        at=record.now,
        tenant_id=caller.tenant_id if caller else None,
        door=record.door,
        operation=record.operation[:80],
        client=caller.client[:60] if caller else "",
        subject=caller.subject[:120] if caller else "",
        roles=" ".join(sorted(caller.roles))[:120] if caller else "",
        token_id=caller.token_id[:128] if caller else "",
        target=record.target[:120],
        outcome=record.outcome[:40],
        detail=record.detail[:300],
        remote=record.remote[:80],
        request_id=record.request_id[:80],
        repeated=record.repeated,
    )


def forget_old_calls(now: datetime) -> int:
    """Delete records that are older than API_AUDIT_KEPT_H (0 = never); how many there were."""
    if settings.API_AUDIT_KEPT_H == 0:
        return 0
    end = now - timedelta(hours=settings.API_AUDIT_KEPT_H)
    return ApiCall.objects.filter(at__lt=end).delete()[0]
