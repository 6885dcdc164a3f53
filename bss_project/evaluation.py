"""A checkout licenses itself for a while, so that it can be tried; a packaged product asks its vendor."""

from __future__ import annotations

from collections.abc import Callable

from apps.kernel.clock import utc_now
from apps.kernel.errors import Conflict
from apps.licensing.domain.errors import LicenceError
from apps.licensing.services.issuing import EVALUATION_DAYS, issue_evaluation


def evaluate_if_new(write: Callable[[str], object]) -> None:
    """Make an evaluation licence if there is none and no vendor's key; says so. What is wrong shows at the start."""
    try:
        made = issue_evaluation(utc_now())
    except (Conflict, LicenceError):
        return
    if made is not None:
        write(f"Evaluation licence of all modules for this machine, {EVALUATION_DAYS} days: {made}")
