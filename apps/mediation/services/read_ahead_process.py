"""The process that reads ahead: takes requests on standard input and answers on standard output. Knows no database."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from apps.mediation.domain.checks import RecordChecker
from apps.mediation.formats import format_named
from apps.mediation.services.file_contents import FileContents, collect
from apps.mediation.services.file_folder import FileState, content_hash, state_of
from apps.mediation.services.steps import no_steps


class Request(NamedTuple):
    """What to read and how; ``descriptor`` is an inherited file for the sorted records."""

    path: Path
    format: str
    options: dict[str, Any]
    may_be_empty: bool
    checker: RecordChecker
    descriptor: int


class Numbers(NamedTuple):
    """Whose numbers are in the file, and the first and last start of a record; said as soon as the file is read."""

    msisdns: set[str]
    bounds: tuple[int, int] | None


class Answer(NamedTuple):
    """What was read: where the sorted records are in the file given, and of which file they are."""

    state: FileState
    digest: str
    records: Any
    suspended: Any
    repeats: bool


def answer(request: Request, say: Callable[[Numbers], None]) -> Answer | None:
    """The file, read and sorted; None where that cannot be done (the loader then finds out why by itself)."""
    format_ = format_named(request.format)
    options = format_.options(request.options)
    try:
        with request.path.open("rb") as file, FileContents() as contents:
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
            say(Numbers(contents.msisdns, contents.records.bounds()))
            # Opened anew, so that the loader's own place in the file is not moved.
            with open(f"/proc/self/fd/{request.descriptor}", "r+b") as target:
                target.truncate(0)
                records = contents.records.write_to(target)
                suspended = contents.suspended.write_to(target)
            return Answer(state, digest, records, suspended, contents.repeats)
    except Exception:
        return None


def main() -> None:
    """Answer requests until there are no more: Numbers where there are any, then an Answer or None."""
    requests, answers = sys.stdin.buffer, sys.stdout.buffer

    def say(something: Numbers | Answer | None) -> None:
        pickle.dump(something, answers)
        answers.flush()

    while True:
        try:
            request = pickle.load(requests)
        except EOFError:
            return
        say(answer(request, say))
