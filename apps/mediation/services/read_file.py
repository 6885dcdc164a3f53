"""A file's records, checked and in the order of their start, before anything is charged; no transaction is open."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import IO

from django.conf import settings

from apps.kernel.errors import InvalidInput
from apps.mediation.domain.checks import DateLimits, RecordChecker, date_limits, from_reject
from apps.mediation.domain.records import TOO_MANY_UNREADABLE, Reject
from apps.mediation.formats import HEAD_OCTETS
from apps.mediation.models import Source
from apps.mediation.services.sorted_records import SortedRecords
from apps.mediation.services.sources import FileReading, file_reading
from apps.mediation.services.steps import OnStep
from apps.rating.models import Service

# As many stretches of a file may be no records at all before the rest of it is given up.
MOST_UNREADABLE = 10_000
_STEP_RECORDS = 20_000


class NothingReadable(Exception):
    """No part of the file can be read; the text says why."""


class FileContents:
    """What is in a file. ``records`` are in the order in which they are charged, ``suspended`` in that of the file."""

    def __init__(self) -> None:
        self.records = SortedRecords()
        self.suspended = SortedRecords()
        self.msisdns: set[str] = set()

    def __enter__(self) -> FileContents:
        return self

    def __exit__(self, *_: object) -> None:
        self.records.close()
        self.suspended.close()

    @property
    def count(self) -> int:
        return self.records.count + self.suspended.count


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
    """How the file is read; raises NothingReadable, or InvalidInputs where its source's options are wrong."""
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
    """All records of the file into ``contents``; raises NothingReadable where there is not one."""
    source_id = reading.source.pk
    check = record_checker(source_id, now).check
    add, set_aside, know = contents.records.add, contents.suspended.add, contents.msisdns.add
    read = unreadable = 0
    first_problem = "it holds no records"
    with without_garbage_collection():
        for item in reading.format.read(file, reading.options):
            if type(item) is Reject:
                if not unreadable:
                    first_problem = f"at octet {item.offset}: {item.message}"
                unreadable += 1
                set_aside(tuple(from_reject(item, source_id or None)))
                if unreadable >= MOST_UNREADABLE and unreadable > read:
                    message = f"{unreadable} stretches before here were no records; the rest was not read"
                    last = Reject(item.offset + 1, TOO_MANY_UNREADABLE, message, b"")
                    set_aside(tuple(from_reject(last, source_id or None)))
                    break
                continue
            read += 1
            checked = check(item)
            if type(checked) is tuple:
                know(checked[5])
                add(checked)
            else:
                set_aside(tuple(checked))
            if not read % _STEP_RECORDS:
                on_step("read", item[1], size)
    if not read and (unreadable or not reading.says_it_is_empty):
        raise NothingReadable(f"nothing in it can be read as {reading.format.title}: {first_problem}")
    on_step("read", size, size)


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Millions of live tuples make the collector look at them again and again, and none is part of a cycle."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
