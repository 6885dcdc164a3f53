"""Celery's queues as files, for one machine without a server: kombu's filesystem transport, with whole files only.

Kombu opens a message's file and writes it afterwards, so a worker that looks in between takes an empty message, loses
it and ends with a JSON error (kombu issue 1551); its tables of exchanges have the same gap when several workers start
at once. Here a file gets its name when it is complete, and a message belongs to the first process that renames it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from queue import Empty
from time import monotonic_ns
from typing import Any

from kombu.exceptions import ChannelError
from kombu.transport import filesystem, virtual
from kombu.utils.json import dumps, loads

log = logging.getLogger(__name__)


class Channel(filesystem.Channel):
    """Messages are ``<time>_<unique>.<queue>.msg``; a name with anything after that is being written or read."""

    # kombu itself disagrees about the name of this argument.
    def _put(self, queue: str, payload: dict[str, Any], **_: Any) -> None:  # type: ignore[override]
        name = f"{monotonic_ns() // 1_000_000:013d}_{uuid.uuid4()}.{queue}.msg"
        path = Path(self.data_folder_out, name)
        unfinished = path.with_name(f"{name}.new")
        try:
            unfinished.write_text(dumps(payload))
            unfinished.rename(path)
        except OSError as error:
            raise ChannelError(f"cannot write the message {path}: {error}") from error

    def _get(self, queue: str, timeout: float | None = None) -> dict[str, Any]:
        ending = f"{queue}.msg"
        folder = Path(self.data_folder_in)
        for name in sorted(os.listdir(folder)):
            if name.partition(".")[2] != ending:
                continue
            taken = folder / f"{name}.taken"
            try:
                (folder / name).rename(taken)
                text = taken.read_text()
                taken.unlink()
            except FileNotFoundError:
                continue  # Another worker was first.
            try:
                return dict(loads(text))
            except ValueError:
                # Left by a machine that lost power; due work is in the database and is sent again.
                log.warning("the message %s is damaged and is left out", name)
        raise Empty

    def get_table(self, exchange: str) -> list[filesystem.exchange_queue_t]:  # type: ignore[override]
        try:
            rows = json.loads(self._file_of(exchange).read_text())
        except FileNotFoundError:
            return []
        return [filesystem.exchange_queue_t(*row) for row in rows]

    def _file_of(self, exchange: str) -> Path:
        # kombu's types leave it out.
        path: Path = self._exchange_file(exchange)  # type: ignore[attr-defined]
        return path

    def _queue_bind(self, exchange: str, routing_key: str | None, pattern: str | None, queue: str) -> None:
        row = filesystem.exchange_queue_t(routing_key or "", pattern or "", queue or "")
        with self._changing(exchange) as table:
            if row not in table:
                table.insert(0, row)

    def _delete(
        self, queue: str, exchange: str, routing_key: str, pattern: str, *args: Any, **kwargs: Any
    ) -> None:
        virtual.Channel._delete(self, queue, exchange, routing_key, pattern, *args, **kwargs)
        row = filesystem.exchange_queue_t(routing_key or "", pattern or "", queue or "")
        with self._changing(exchange) as table:
            if row in table:
                table.remove(row)

    @contextlib.contextmanager
    def _changing(self, exchange: str) -> Iterator[list[filesystem.exchange_queue_t]]:
        """The exchange's table, to be changed in place, by one process at a time; readers see the old or the new."""
        path = self._file_of(exchange)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            table = self.get_table(exchange)
            before = list(table)
            yield table
            if table != before or not path.exists():
                unfinished = path.with_suffix(".new")
                unfinished.write_text(json.dumps(table))
                unfinished.rename(path)


class Transport(filesystem.Transport):
    Channel = Channel
