"""How a file is read, and its contents before anything is charged; no transaction is open."""

from __future__ import annotations

from datetime import datetime
from typing import IO

from django.conf import settings

from apps.kernel.errors import InvalidInput
from apps.mediation.domain.checks import DateLimits, RecordChecker, date_limits
from apps.mediation.formats import HEAD_OCTETS, recognise
from apps.mediation.models import Source
from apps.mediation.services.file_contents import FileContents, NothingReadable, collect
from apps.mediation.services.sources import FileReading, file_reading
from apps.mediation.services.steps import OnStep
from apps.rating.models import Service


def limits_at(now: datetime) -> DateLimits:
    """The dates that records taken at ``now`` may have, by the settings."""
    return date_limits(int(now.timestamp()), settings.CDR_MAX_AGE_DAYS, settings.CDR_FUTURE_TOLERANCE_S)


def record_checker(file_source_id: int, now: datetime) -> RecordChecker:
    """A checker for records taken at ``now``, of the services and sources that there are."""
    return RecordChecker(
        dict(Service.objects.values_list("code", "type_of_record")),
        dict(Source.objects.values_list("code", "pk")),
        file_source_id,
        limits_at(now),
    )


def reading_of(name: str, file: IO[bytes], *, dry_run: bool) -> FileReading:
    """How the file is read; raises NothingReadable, or InvalidInputs if its source's options are wrong."""
    head = file.read(HEAD_OCTETS)
    file.seek(0)
    if not head:
        raise NothingReadable("the file is empty")
    try:
        return file_reading(name, head, dry_run=dry_run)
    except InvalidInput as error:
        raise NothingReadable(error.message) from error


def read_contents(
    file: IO[bytes],
    size: int,
    reading: FileReading,
    contents: FileContents,
    *,
    now: datetime,
    on_step: OnStep,
) -> None:
    """All records of the file into ``contents``; raises NothingReadable if there is not one."""
    checker = record_checker(reading.source.pk, now)
    try:
        collect(
            file,
            size,
            reading.format,
            reading.options,
            checker,
            contents,
            may_be_empty=reading.facts.may_be_empty,
            on_step=on_step,
        )
    except NothingReadable as error:
        raise NothingReadable(f"{error}{_other_format(file, reading)}") from None


def _other_format(file: IO[bytes], reading: FileReading) -> str:
    """What to do if the file is surely of another format than its source's."""
    file.seek(0)
    head = file.read(HEAD_OCTETS)
    other = recognise(head)
    if other.name == reading.format.name or not other.recognises(head):
        return ""
    return f". It looks like {other.title}: change the format or the file pattern of source {reading.source.code}"
