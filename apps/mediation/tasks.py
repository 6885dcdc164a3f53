"""Beat's door to the loader."""

from __future__ import annotations

from django.conf import settings

from apps.kernel.clock import utc_now
from apps.mediation.services.file_folder import ready_files
from apps.mediation.services.intake import load_files, log_outcome
from apps.mediation.services.load_file import Outcome
from apps.runtime.tasks import shared_task


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
