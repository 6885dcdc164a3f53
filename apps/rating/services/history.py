"""Keeping the history of the tariff in git: each version is one commit.

The newest commit says how far the history is, so writing twice, at once or after a kill adds nothing: versions that
are not there yet are written in their order. A directory that is gone, damaged or of another database holds nothing
up: it is set aside and made from the database.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import structlog
from django.db import transaction

from apps.events.models import Event
from apps.events.services.consuming import Consumer, register
from apps.rating.domain.history_files import differences, history_files
from apps.rating.domain.published import TARIFF_PUBLISHED
from apps.rating.domain.snapshot import decode
from apps.rating.models import TariffVersion
from apps.rating.selectors.history import (
    CONTENT,
    SET_ASIDE,
    VERSION,
    change_summary,
    history_directory,
    version_files,
    version_of,
)
from apps.storage.git import GitDirectory, GitFailed, NewCommit

log = structlog.get_logger(__name__)


def write_history(now: datetime, *, thorough: bool = False) -> int:
    """Commit the versions that the history lacks; how many. ``thorough`` reads all of the history first.

    Raises GitFailed if git is not installed or cannot write.
    """
    directory = history_directory()
    if directory is None:
        return 0
    with directory.locked():
        reached = _reached(directory, now, thorough=thorough)
        if not TariffVersion.objects.filter(pk__gt=reached).exists():
            return 0
        written = directory.append(_commits_after(reached))
    log.info("tariff.history_written", commits=written, after_version=reached)
    return written


def _reached(directory: GitDirectory, now: datetime, *, thorough: bool) -> int:
    """The newest version that is in the history, which is made first if there is none to go on with."""
    if not directory.exists():
        log.warning("tariff.history_missing", path=str(directory.path))
        directory.create()
        return 0
    try:
        if thorough:
            directory.check()
        tip = directory.tip()
        if tip is None:
            return 0
        version_id = version_of(tip)
        known = TariffVersion.objects.filter(pk=version_id, content_hash=tip.trailers.get(CONTENT, ""))
        if known.exists():
            return version_id
        raise GitFailed(f"it ends with a version {version_id} that this database does not know")
    except GitFailed as error:
        fault = str(error)
    aside = directory.path.with_name(f"{directory.path.name}{SET_ASIDE}{now:%Y%m%dT%H%M%S%f}")
    # A directory whose git cannot be run at all is left as it is: this fails.
    directory.version()
    directory.path.rename(aside)
    log.error("tariff.history_damaged", path=str(directory.path), fault=fault, set_aside=str(aside))
    directory.create()
    return 0


def _commits_after(version_id: int) -> Iterator[NewCommit]:
    files = version_files(version_id) if version_id else {}
    newer = TariffVersion.objects.filter(pk__gt=version_id).order_by("pk")
    # One at a time: a snapshot may be megabytes.
    for pk in list(newer.values_list("pk", flat=True)):
        version = TariffVersion.objects.get(pk=pk)
        before, files = files, history_files(decode(bytes(version.snapshot)), version.terms)
        summary = change_summary(differences(before, files))
        yield NewCommit(
            files,
            version.published_by or "a process",
            version.published_at,
            f"{' '.join(version.note.split()) or 'Tariff published'}\n\n{summary}",
            {VERSION: str(version.pk), CONTENT: version.content_hash},
        )


def send_history(events: Sequence[Event], now: datetime) -> None:
    """Have the history written by a task of its own: git is not waited for in a transaction."""
    if history_directory() is not None:
        transaction.on_commit(_send, robust=True)


def _send() -> None:
    from apps.runtime.tasks import current_app

    current_app.send_task("apps.rating.tasks.write_tariff_history")


HISTORY = Consumer("tariff-history", (TARIFF_PUBLISHED,), send_history)


def register_consumer() -> None:
    register(HISTORY)
