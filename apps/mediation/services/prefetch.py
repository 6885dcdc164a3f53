"""While one file is charged and stored, the next is read, checked and sorted by a process of its own.

Whose numbers are in it is then read by a thread, over a connection of its own.
"""

from __future__ import annotations

import os
import signal
import tempfile
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import IO, NamedTuple

from django.db import connection

from apps.kernel.errors import BssError
from apps.mediation.services.cdr_writer import instant_of
from apps.mediation.services.file_contents import FileContents, NothingReadable
from apps.mediation.services.file_folder import FileState
from apps.mediation.services.identities import ReadAhead, read_ahead
from apps.mediation.services.prefetch_process import Answer, Numbers, Request, read, write_sorted
from apps.mediation.services.read_file import reading_of, record_checker
from apps.mediation.services.sorted_records import SortedRecords
from apps.mediation.services.sources import FileReading
from apps.runtime.pool import process_pool
from apps.runtime.start import Role

# Smaller files are read faster than the process can be asked, octets.
WORTHWHILE_OCTETS = 1_000_000
# So are larger ones if the loader has nothing else to do: the process would have to merge several runs.
WORTHWHILE_ALONE_OCTETS = 16_000_000


class _Asked(NamedTuple):
    """A file that is being read."""

    path: Path
    reading: FileReading
    numbers: Future[Numbers]
    holdings: Future[ReadAhead | None]
    answer: Future[Answer | None]


class Prefetch:
    """Prefetches one file. Use as a context manager; after any error here the loader reads the file itself."""

    def __init__(self) -> None:
        self._process: ProcessPoolExecutor | None = None
        self._pid: Future[int]
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="prefetch")
        # One is for the file being loaded, the other for the next; both vanish with this process.
        self._files: list[IO[bytes]] = []
        self._current = 0
        self._asked: _Asked | None = None

    def __enter__(self) -> Prefetch:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        self._thread.shutdown()
        for file in self._files:
            file.close()

    def ask(self, path: Path, now: datetime, at_most_octets: int | None = None) -> bool:
        """Have the file read, if it is worth it; it is fetched with :meth:`take`.

        One file at a time: a second request is ignored.
        """
        if self._asked is not None:
            return False
        try:
            size = path.stat().st_size
            if size < WORTHWHILE_OCTETS or (at_most_octets is not None and size > at_most_octets):
                return False
            with path.open("rb") as file:
                reading = reading_of(path.name, file, dry_run=False)
            options = reading.source.options if reading.source.format == reading.format.name else {}
            request = Request(
                path,
                reading.format.name,
                dict(options or {}),
                reading.facts.may_be_empty,
                record_checker(reading.source.pk, now),
            )
            process = self._running()
            self._current = 1 - self._current
            target = f"/proc/{os.getpid()}/fd/{self._files[self._current].fileno()}"
            numbers, answer = process.submit(read, request), process.submit(write_sorted, target)
        except (BssError, NothingReadable, OSError):
            # Loading the file meets the same error, and reports it.
            return False
        except BrokenProcessPool:
            self._stop()
            return False
        # Another connection does not see what a transaction around all this has done.
        holdings = self._thread.submit(_holdings, numbers, not connection.in_atomic_block)
        self._asked = _Asked(path, reading, numbers, holdings, answer)
        return True

    def take(self, path: Path, state: FileState, digest: str) -> tuple[FileReading, FileContents] | None:
        """The contents of the file that was asked for, if it is this one and has not changed; else None."""
        asked, self._asked = self._asked, None
        if asked is None:
            return None
        holdings = asked.holdings.result()
        try:
            numbers, answer = asked.numbers.result(), asked.answer.result()
        except BrokenProcessPool:
            # It died, at any step.
            self._stop()
            return None
        except Exception:
            # Loading the file meets the same error, and reports it.
            return None
        if answer is None or asked.path != path or (answer.state, answer.digest) != (state, digest):
            return None
        file = self._files[self._current]
        contents = FileContents(
            SortedRecords.read_from(file, *answer.records), SortedRecords.read_from(file, *answer.suspended)
        )
        contents.identities = numbers.identities
        contents.repeats, contents.left_out = answer.repeats, answer.left_out
        contents.modes = answer.modes
        contents.holdings = holdings
        return asked.reading, contents

    def _running(self) -> ProcessPoolExecutor:
        if not self._files:
            for _ in range(2):
                self._files.append(tempfile.TemporaryFile(prefix="bss-records-"))  # noqa: SIM115
        if self._process is None:
            self._process = process_pool(Role.READER, needs_django=False)
            self._pid = self._process.submit(os.getpid)
        return self._process

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        # Its result is no longer wanted, and may take long.
        with suppress(BrokenProcessPool, ProcessLookupError):
            os.kill(self._pid.result(), signal.SIGKILL)
        process.shutdown(cancel_futures=True)


def _holdings(numbers: Future[Numbers], is_wanted: bool) -> ReadAhead | None:
    """Holdings of the numbers in the file; None if they cannot be read: the loader then does it itself."""
    try:
        identities, bounds = numbers.result()
        if bounds is None or not is_wanted:
            return None
        return read_ahead(identities, *map(instant_of, bounds))
    except Exception:
        return None
    finally:
        with suppress(Exception):
            connection.close()
