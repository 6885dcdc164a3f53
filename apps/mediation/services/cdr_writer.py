"""Rows of rated and suspended records into the database, stored by a thread of its own while the next are rated.

The thread is lent the caller's own connection, and with it the transaction; the caller
calls :meth:`CdrWriter.wait` before it uses the connection itself.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from queue import Queue
from threading import Thread
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from apps.mediation.domain.checks import SuspendedRecordData
from apps.storage.bulk import insert_values, lines_in_memory, load_from_memory
from apps.storage.dialect import loads_text

CDR_TABLE = "mediation_cdr"
CDR_COLUMNS = (
    *("file_id", "source_id", "record_id", "account_id", "subscriber_id", "service_id", "price_plan_id"),
    *("destination_id", "start", "other_party", "usage", "free_usage", "billed_usage", "cost_micros", "raw"),
)
# Of rows that are not the subscriber's own charge, or not charged as usual.
RUN_COLUMNS = (*CDR_COLUMNS, "run", "mode")
SUSPENSE_TABLE = "mediation_suspendedrecord"
SUSPENSE_COLUMNS = (
    *(
        "file_id",
        "source_id",
        "byte_offset",
        "raw",
        "reason",
        "message",
        "record_id",
        "service_code",
        "msisdn",
    ),
    *("other_party", "start", "usage", "corrections", "state", "attempts", "created_at", "settled_by"),
)
# How many portions the caller may be ahead: a buffer against the database's varying speed.
AHEAD_MYSQL, AHEAD_SQLITE = 10, 2
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_S = 86_400
# Between two statements the storing thread needs the GIL for a moment only; at Python's usual 5 ms it would
# wait longer for it than SQLite takes for the statement. On MySQL it needs it twice a chunk, on SQLite often.
SWITCH_MYSQL_S, SWITCH_SQLITE_S = 0.000_05, 0.000_5
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0"})


def instant_of(epoch: int) -> datetime:
    """The aware instant of Unix seconds."""
    return EPOCH + timedelta(0, epoch)


@cache
def clock_texts() -> list[str]:
    """The text of each second of a day."""
    sixty = [f":{n:02d}" for n in range(60)]
    minutes = [f" {hour:02d}{minute}" for hour in range(24) for minute in sixty]
    return [minute + second for minute in minutes for second in sixty]


class StartTexts(dict[int, str]):
    """The stored text of an instant given in Unix seconds: days are cached, the time of day is looked up."""

    def __init__(self) -> None:
        self._clock = clock_texts()

    def __missing__(self, day: int) -> str:
        text = self[day] = (EPOCH + timedelta(days=day)).strftime("%Y-%m-%d")
        return text

    def of(self, seconds: int) -> str:
        day, clock = divmod(seconds, DAY_S)
        return self[day] + self._clock[clock]


class CdrWriter:
    """Stores portions in order, while the caller is some portions ahead. Use it as a context manager."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self.connection = connection
        self._as_text = loads_text(connection)
        self._queue: Queue[tuple[str, Sequence[str], Any, int] | None] = Queue(
            AHEAD_MYSQL if self._as_text else AHEAD_SQLITE
        )
        self._error: BaseException | None = None
        self._thread = Thread(target=self._work, name="cdr-writer", daemon=True)
        self._usual_interval = sys.getswitchinterval()

    def __enter__(self) -> CdrWriter:
        self.connection.ensure_connection()
        sys.setswitchinterval(SWITCH_MYSQL_S if self._as_text else SWITCH_SQLITE_S)
        self._thread.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Waits for the thread. Raises its error unless the caller is leaving with one already."""
        self._queue.put(None)
        self._thread.join()
        sys.setswitchinterval(self._usual_interval)
        if kind is None:
            self._raise()

    def put(self, table: str, columns: Sequence[str], rows: Any) -> None:
        """Hand over rows: lists of values, or on MySQL lines of tab-separated text with ``raw`` in hexadecimal."""
        self._raise()
        # The text is made here: the thread has to wait for the GIL, and the database for the thread.
        stored = lines_in_memory(("\n".join(rows) + "\n").encode()) if self._as_text else rows
        self._queue.put((table, columns, stored, len(rows)))

    def wait(self) -> None:
        """Until all is stored; then the connection is the caller's again, until the next :meth:`put`."""
        self._queue.join()
        self._raise()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        while (job := self._queue.get()) is not None:
            table, columns, rows, count = job
            try:
                # After a failure the transaction is lost, and the rest only has to be let through.
                if self._error is None:
                    self._store(table, columns, rows, count)
            except BaseException as error:
                self._error = error
            finally:
                if self._as_text:
                    os.close(rows)
            self._queue.task_done()
        self._queue.task_done()

    def _store(self, table: str, columns: Sequence[str], rows: Any, count: int) -> None:
        if self._as_text:
            load_from_memory(self.connection, table, columns, rows, count, binary_columns=("raw",))
        else:
            insert_values(self.connection, table, columns, rows)


def escaped(text: str) -> str:
    """A text as LOAD DATA wants it."""
    return text.translate(_ESCAPES)


def suspense_rows(
    as_text: bool, file_id: int, records: Sequence[SuspendedRecordData], created_at: str, texts: StartTexts
) -> list[Any]:
    """Rows of SUSPENSE_COLUMNS for :meth:`CdrWriter.put`."""
    rows: list[Any] = []
    for record in records:
        start = None if record.start is None else texts.of(record.start)
        values: list[Any] = [
            *(file_id, record.source_id, record.byte_offset, record.raw, record.reason, record.message),
            *(record.record_id, record.service_code, record.msisdn, record.other_party, start, record.usage),
            *("{}", "open", 0, created_at, ""),
        ]
        if as_text:
            values[3] = record.raw.hex()
            rows.append("\t".join("\\N" if value is None else escaped(str(value)) for value in values))
        else:
            rows.append(values)
    return rows
