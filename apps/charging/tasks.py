"""What beat has charging do: end silent sessions, see expired balances, lift old caps, forget what need not be kept."""

from __future__ import annotations

from apps.charging.services import sessions, spending_caps, trigger_expiries
from apps.kernel.clock import utc_now
from apps.runtime.tasks import shared_task


@shared_task
def end_silent_sessions() -> int:
    """Give back what sessions hold that did not report in time."""
    return sessions.end_silent_sessions(utc_now())


@shared_task
def watch_expiries() -> int:
    """Let triggers see balances that have expired."""
    return trigger_expiries.watch_expiries(utc_now())


@shared_task
def lift_caps() -> int:
    """Let accounts in again whose spending cap was of a month that is over."""
    return spending_caps.lift_caps(utc_now())


@shared_task
def forget_old_answers() -> tuple[int, int]:
    """Delete answers and ended sessions that are older than is kept."""
    return sessions.forget_old(utc_now())
