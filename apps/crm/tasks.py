"""What beat has the CRM's doors do: forget what need not be kept."""

from __future__ import annotations

from apps.crm.services.audit import forget_old_calls
from apps.crm.services.clients import forget_expired_revocations
from apps.crm.services.idempotency import forget_old_answers
from apps.kernel.clock import utc_now
from apps.runtime.tasks import shared_task


@shared_task
def forget_old_records() -> tuple[int, int, int]:
    """Delete kept answers, revocations and audit records that are older than is kept; how many of each."""
    now = utc_now()
    return forget_old_answers(now), forget_expired_revocations(now), forget_old_calls(now)
