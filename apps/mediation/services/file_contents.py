"""A file's records, checked and in the order of their start. Knows no Django: a process of its own starts fast."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from apps.mediation.domain.checks import RecordChecker, SuspendedRecordData, from_reject
from apps.mediation.domain.records import LEFT_OUT, TOO_MANY_UNREADABLE, Reject
from apps.mediation.formats import Format
from apps.mediation.services.sorted_records import SortedRecords
from apps.mediation.services.steps import OnStep

if TYPE_CHECKING:
    from apps.mediation.services.identities import ReadAhead

# As many stretches of a file may be no records at all before the rest of it is given up.
MOST_UNREADABLE = 10_000
_STEP_RECORDS = 20_000
# Repeats are looked for among so many records, to bound the memory; undetected ones only cost time later.
REPEATS_AMONG = 200_000


class NothingReadable(Exception):
    """No part of the file can be read; the text says why."""


class FileContents:
    """A file's contents. ``records`` are in the order in which they are charged, ``suspended`` in that of the file.

    ``identities`` are the pairs of MSISDN and IMSI that the records name (the IMSI may be empty). ``repeats``: some
    record probably comes twice, so that storing them blindly would be in vain. ``left_out`` counts the lines that the
    source's filter left out. ``modes``: some record says how it is to be
    charged. ``holdings``: whose numbers and IMSIs they are, if that was prefetched.
    """

    def __init__(self, records: SortedRecords | None = None, suspended: SortedRecords | None = None) -> None:
        self.records = SortedRecords() if records is None else records
        self.suspended = SortedRecords() if suspended is None else suspended
        self.identities: set[tuple[str, str]] = set()
        self.repeats = False
        self.left_out = 0
        self.modes = False
        self.holdings: ReadAhead | None = None

    def __enter__(self) -> FileContents:
        return self

    def __exit__(self, *_: object) -> None:
        self.records.close()
        self.suspended.close()

    @property
    def count(self) -> int:
        return self.records.count + self.suspended.count


def collect(
    file: IO[bytes],
    size: int,
    format_: Format,
    options: Any,
    checker: RecordChecker,
    contents: FileContents,
    *,
    may_be_empty: bool,
    on_step: OnStep,
) -> None:
    """All records of the file into ``contents``; raises NothingReadable if there is none."""
    check, source_id = checker.check, checker.file_source_id
    add, set_aside, know = contents.records.add, contents.suspended.add, contents.identities.add
    # The IMSI last seen with each MSISDN: nearly always it is the same again.
    imsis: dict[str, str] = {}
    read = unreadable = looked = 0
    keys: set[int] = set()
    know_key = keys.add
    first_problem = "it holds no records"
    with without_garbage_collection():
        for item in format_.read(file, options):
            if isinstance(item, Reject):
                if item is LEFT_OUT:
                    contents.left_out += 1
                    continue
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
            if not isinstance(checked, SuspendedRecordData):
                msisdn, imsi = checked[5], item[12]
                if imsis.get(msisdn) != imsi:
                    imsis[msisdn] = imsi
                    know((msisdn, imsi))
                if item[13]:
                    contents.modes = True
                add(checked)
                if looked < REPEATS_AMONG:
                    looked += 1
                    know_key(hash(checked[2:4]))
            else:
                set_aside(tuple(checked))
            if not read % _STEP_RECORDS:
                on_step("read", item.offset, size)
    contents.repeats = len(keys) < looked
    if not read and (unreadable or not may_be_empty):
        raise NothingReadable(f"nothing in it can be read as {format_.title}: {first_problem}")
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
