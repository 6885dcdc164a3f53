"""The audit record of both doors: who did what, and what came of it."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings

from apps.crmapi.domain.access import ROLES_WITH, Caller
from apps.crmapi.models import ApiCall

# Permissions that change nothing; calls under them are recorded only if API_AUDIT_READS says so.
READING = frozenset(
    permission for permission in ROLES_WITH if permission.endswith((".read", ".list", ".enquire"))
)


def record_call(
    *,
    now: datetime,
    door: str,
    operation: str,
    caller: Caller | None,
    outcome: str = "ok",
    target: str = "",
    detail: str = "",
    remote: str = "",
    request_id: str = "",
    repeated: bool = False,
) -> None:
    """Write one audit record. Of a change that succeeds, call it in the change's own transaction.

    ``target`` names what it was about ("subscriber 12"), never a PIN or a token; ``outcome`` is ok or the error's code.
    """
    ApiCall.objects.create(
        at=now,
        tenant_id=caller.tenant_id if caller else None,
        door=door,
        operation=operation[:80],
        client=caller.client[:60] if caller else "",
        subject=caller.subject[:120] if caller else "",
        roles=" ".join(sorted(caller.roles))[:120] if caller else "",
        token_id=caller.token_id[:128] if caller else "",
        target=target[:120],
        outcome=outcome[:40],
        detail=detail[:300],
        remote=remote[:80],
        request_id=request_id[:80],
        repeated=repeated,
    )


def forget_old_calls(now: datetime) -> int:
    """Delete records that are older than API_AUDIT_KEPT_H (0 = never); how many there were."""
    if settings.API_AUDIT_KEPT_H == 0:
        return 0
    end = now - timedelta(hours=settings.API_AUDIT_KEPT_H)
    return ApiCall.objects.filter(at__lt=end).delete()[0]
