"""While one file is charged and stored, the next is read, checked and sorted by a process of its own.

Whose numbers are in it is then read by a thread, over a connection of its own.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
import tempfile
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from threading import Thread
from typing import IO

from django.conf import settings
from django.db import connection

from apps.charging.services.usage import KnownHoldings, read_holdings
from apps.kernel.errors import BssError
from apps.mediation.services.cdr_writer import instant_of
from apps.mediation.services.file_contents import FileContents, NothingReadable
from apps.mediation.services.file_folder import FileState
from apps.mediation.services.read_ahead_process import Answer, Numbers, Request, main
from apps.mediation.services.read_file import reading_of, record_checker
from apps.mediation.services.sorted_records import SortedRecords
from apps.mediation.services.sources import FileReading

# Below this a file is read faster than the process is told of it, octets.
WORTHWHILE_OCTETS = 1_000_000
# And above this so is one that nobody has anything else to do beside: the process merges what is more than one run.
WORTHWHILE_ALONE_OCTETS = 16_000_000


class ReadAhead:
    """Reads one file ahead. Use as a context manager; whatever goes wrong here, the loader reads the file itself."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        # One holds the file in hand, the other the next; both are gone with this process.
        self._files: list[IO[bytes]] = []
        self._turn = 0
        self._asked: tuple[Path, FileReading] | None = None
        self._waiting: _Waiting | None = None

    def __enter__(self) -> ReadAhead:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        for file in self._files:
            file.close()

    def ask(self, path: Path, now: datetime, at_most_octets: int | None = None) -> bool:
        """Have the file read, if it is worth it; it is fetched with :meth:`take`.

        One file at a time: a second request is let fall.
        """
        if self._asked is not None:
            return False
        try:
            size = path.stat().st_size
            if size < WORTHWHILE_OCTETS or (at_most_octets is not None and size > at_most_octets):
                return False
            with path.open("rb") as file:
                reading = reading_of(path.name, file, dry_run=False)
            self._turn = 1 - self._turn
            process = self._running()
            options = reading.source.options if reading.source.format == reading.format.name else {}
            request = Request(
                path,
                reading.format.name,
                dict(options or {}),
                reading.says_it_is_empty,
                record_checker(reading.source.pk, now),
                self._files[self._turn].fileno(),
            )
            assert process.stdin is not None
            pickle.dump(request, process.stdin)
            process.stdin.flush()
        except BrokenPipeError:
            self._stop()
            return False
        except (BssError, NothingReadable, OSError):
            # Whoever loads the file meets the same, and says so.
            return False
        # Another connection does not see what a transaction around all this has done.
        self._waiting = _Waiting(process, with_holdings=not connection.in_atomic_block)
        self._waiting.start()
        self._asked = (path, reading)
        return True

    def take(self, path: Path, state: FileState, digest: str) -> tuple[FileReading, FileContents] | None:
        """The contents of the file that was asked for, if it is this one and has not changed; else None."""
        if self._asked is None or self._waiting is None:
            return None
        (asked, reading), self._asked = self._asked, None
        self._waiting.join()
        answer = self._waiting.answer
        if not self._waiting.answered:
            # It died, wherever it had got to.
            self._stop()
        if answer is None or asked != path or (answer.state, answer.digest) != (state, digest):
            return None
        file = self._files[self._turn]
        contents = FileContents(
            SortedRecords.read_from(file, *answer.records), SortedRecords.read_from(file, *answer.suspended)
        )
        contents.msisdns, contents.repeats = self._waiting.msisdns, answer.repeats
        contents.holdings = self._waiting.holdings
        return reading, contents

    def _running(self) -> subprocess.Popen[bytes]:
        if not self._files:
            for _ in range(2):
                self._files.append(tempfile.TemporaryFile(prefix="bss-records-"))  # noqa: SIM115
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-c", f"from {main.__module__} import main; main()"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                cwd=settings.BASE_DIR,
                pass_fds=[file.fileno() for file in self._files],
            )
        return self._process

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        if self._waiting is not None:
            self._waiting.join()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


class _Waiting(Thread):
    """Waits for the process to answer, and then reads whose numbers it has found."""

    def __init__(self, process: subprocess.Popen[bytes], *, with_holdings: bool) -> None:
        super().__init__(name="read-ahead", daemon=True)
        self._process, self._with_holdings = process, with_holdings
        self.answered = False
        self.answer: Answer | None = None
        self.msisdns: set[str] = set()
        self.holdings: KnownHoldings | None = None

    def run(self) -> None:
        try:
            assert self._process.stdout is not None
            said = pickle.load(self._process.stdout)
            if isinstance(said, Numbers):
                self.msisdns = said.msisdns
                if said.bounds is not None and self._with_holdings:
                    self._read_holdings(*map(instant_of, said.bounds))
                said = pickle.load(self._process.stdout)
            self.answer, self.answered = said, True
        except Exception:
            # It died; whoever takes what was read sees that there is nothing.
            return

    def _read_holdings(self, first: datetime, last: datetime) -> None:
        # Whatever keeps this from being read, the loader reads it itself.
        with suppress(Exception):
            self.holdings = read_holdings(self.msisdns, first, last)
        with suppress(Exception):
            connection.close()
