"""``rate``: price enquiries, a JSON line each, without charging anything."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from apps.kernel.errors import BssError
from apps.rating.domain.explain import explain, prose
from apps.rating.domain.price_queries import answer_line, read_query
from apps.rating.domain.rater import Rater
from apps.rating.selectors import current_tariff, rater_as_of
from apps.rating.selectors.tariffs import read_as_of
from apps.runtime.commands import RoomCommand


class Command(RoomCommand):
    help = (
        'Price usage: JSON lines in, such as {"subject": "alice", "tor": "voice", "destination": "4930123", '
        '"start": "2026-01-01T00:00:00Z", "usage": 60}, and JSON lines out in the same order. Optional are '
        "tenant (default), category (call) and position (0): the usage of this session that was rated already. "
        'Usage and position of voice may be durations finer than a second, such as "12.345s" or "12345ms".'
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "file",
            nargs="?",
            default="-",
            metavar="FILE",
            help="JSON lines; standard input if it is left out or “-”.",
        )
        parser.add_argument(
            "--explain", action="store_true", help="Say in sentences how each price comes about."
        )
        parser.add_argument(
            "--as-of",
            metavar="VERSION|TIME|COMMIT",
            help="Price by an earlier tariff version, by the one that was in force at a time (ISO 8601), or by a "
            "commit of the history (tarifflog).",
        )

    def handle(self, *args: Any, file: str, as_of: str | None, **options: Any) -> None:
        rater = _rater(as_of)
        answer = _explain_line if options["explain"] else answer_line
        if file == "-":
            self._answer(rater, answer, getattr(sys.stdin, "buffer", sys.stdin))
            return
        try:
            with Path(file).open("rb") as lines:
                self._answer(rater, answer, lines)
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}") from error

    def _answer(
        self,
        rater: Rater,
        answer: Callable[[Rater, str | bytes], str],
        lines: Iterable[str | bytes],
    ) -> None:
        """Answer each line at once if a client may wait for it; from a file, as buffers fill."""
        waiting = not _is_file(lines)
        try:
            for line in lines:
                if line.strip():
                    self.stdout.write(answer(rater, line))
                    if waiting:
                        self.stdout.flush()
            self.stdout.flush()
        except BrokenPipeError:
            # The reader closed the pipe (such as head); Python must not complain at its exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _is_file(stream: Any) -> bool:
    try:
        return Path(f"/proc/self/fd/{stream.fileno()}").is_file()
    except (OSError, ValueError, AttributeError):
        return False


def _rater(as_of: str | None) -> Rater:
    try:
        return (current_tariff() if as_of is None else rater_as_of(read_as_of(as_of))).rater
    except BssError as error:
        raise CommandError(str(error)) from error


def _explain_line(rater: Rater, line: str | bytes) -> str:
    try:
        query = read_query(line)
        return prose(explain(rater, query.usage, query.position)) + "\n"
    except BssError as error:
        return f"No price ({error.code}): {error.message}\n"
