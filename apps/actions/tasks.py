"""What beat has the actions room do: carry out due plans, attempt errands, forget old ones."""

from __future__ import annotations

from apps.actions.services import errands, plans
from apps.kernel.clock import utc_now
from apps.runtime.tasks import shared_task


@shared_task
def run_due_plans() -> int:
    """Carry out the action plans that are due; a second one meanwhile does nothing."""
    return plans.run_due_plans(utc_now())


@shared_task
def run_errands() -> int:
    """Attempt the calls and mails whose time has come."""
    return errands.run_errands(utc_now())


@shared_task
def forget_old_errands() -> int:
    """Delete errands that were done longer ago than is kept."""
    return errands.forget_done(utc_now())
