"""Files that wait for the next run, for staff to see; the log has each attempt."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from datetime import datetime

from django.db import DatabaseError, transaction
from django.db.models import F

from apps.mediation.models import WaitingFile
from apps.mediation.services.load_file import FileOutcome


def note_waiting(outcome: FileOutcome, now: datetime) -> None:
    """Remember that the file could not be loaded, and why. Without a database only the log says so."""
    path = os.fsencode(outcome.path.absolute())
    told = {
        "source_id": outcome.source_id,
        "reason": outcome.reason,
        "message": outcome.detail,
        "last_tried_at": now,
    }
    with suppress(DatabaseError), transaction.atomic():
        row, is_new = WaitingFile.objects.get_or_create(
            path_hash=hashlib.sha256(path).hexdigest(),
            defaults={"path": path, "name": outcome.name[:255], "first_tried_at": now, **told},
        )
        if not is_new:
            WaitingFile.objects.filter(pk=row.pk).update(attempts=F("attempts") + 1, **told)


def forget_gone() -> bool:
    """Forget files that are no longer where they waited. Returns whether some still wait."""
    paths = dict(WaitingFile.objects.values_list("pk", "path"))
    gone = [pk for pk, path in paths.items() if not os.path.lexists(bytes(path))]
    if gone:
        WaitingFile.objects.filter(pk__in=gone).delete()
    return len(gone) < len(paths)
