"""Beat's door to the loader."""

from __future__ import annotations

import structlog
from django.conf import settings

from apps.kernel.clock import utc_now
from apps.mediation.services.file_folder import ready_files
from apps.mediation.services.intake import load_files, log_outcome
from apps.mediation.services.load_file import Outcome
from apps.mediation.services.reconciling import reconcile
from apps.runtime.tasks import shared_task

log = structlog.get_logger(__name__)


@shared_task(name="apps.mediation.tasks.reconcile_sessions")
def reconcile_sessions() -> int:
    """Compare records with the sessions that charged them; returns how many were compared."""
    result = reconcile(utc_now(), by="beat")
    for problem in result.problems[:20]:
        log.warning("not reconciled", problem=problem)
    return sum(result.states.values())


@shared_task(name="apps.mediation.tasks.load_new_files")
def load_new_files() -> int:
    """Load the files that are ready in the folder of new files; returns how many were loaded.

    A run that overlaps with another takes the files that the other has not locked.
    """
    if not settings.CDR_NEW_DIR.is_dir():
        return 0
    loaded = 0
    for outcome in load_files(ready_files(settings.CDR_NEW_DIR), utc_now):
        log_outcome(outcome)
        loaded += outcome.outcome is Outcome.LOADED
    return loaded
