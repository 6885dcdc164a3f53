"""What the process that reads ahead does: one file after the other, each in two steps. Knows no database."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

from apps.mediation.domain.checks import RecordChecker
from apps.mediation.formats import format_named
from apps.mediation.services.file_contents import FileContents, collect
from apps.mediation.services.file_folder import FileState, content_hash, state_of
from apps.mediation.services.steps import no_steps


class Request(NamedTuple):
    """What to read and how."""

    path: Path
    format: str
    options: dict[str, Any]
    may_be_empty: bool
    checker: RecordChecker


class Numbers(NamedTuple):
    """The file's pairs of MSISDN and IMSI, and the first and last start of a record; known as soon as it is read."""

    identities: set[tuple[str, str]]
    bounds: tuple[int, int] | None


class Answer(NamedTuple):
    """The result: where the sorted records are in the given file, and which file they are of."""

    state: FileState
    digest: str
    records: Any
    suspended: Any
    repeats: bool
    left_out: int
    modes: bool


_read: tuple[FileState, str, FileContents] | None = None
"""What :func:`read` has read and :func:`write_sorted` is to write."""


def read(request: Request) -> Numbers:
    """Read and check the file; raises the error that prevents it (the loader then meets the same)."""
    global _read
    _read = None
    format_ = format_named(request.format)
    options = format_.options(request.options)
    contents = FileContents()
    try:
        with request.path.open("rb") as file:
            state = state_of(os.fstat(file.fileno()))
            digest = content_hash(file)
            collect(
                file,
                state.size,
                format_,
                options,
                request.checker,
                contents,
                may_be_empty=request.may_be_empty,
                on_step=no_steps,
            )
    except BaseException:
        contents.__exit__(None, None, None)
        raise
    _read = state, digest, contents
    return Numbers(contents.identities, contents.records.bounds())


def write_sorted(target_path: str) -> Answer | None:
    """Write the records read last, sorted, to this file. None if there are none."""
    global _read
    if _read is None:
        return None
    (state, digest, contents), _read = _read, None
    with contents, open(target_path, "r+b") as target:
        target.truncate(0)
        records = contents.records.write_to(target)
        suspended = contents.suspended.write_to(target)
    return Answer(state, digest, records, suspended, contents.repeats, contents.left_out, contents.modes)
