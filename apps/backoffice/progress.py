"""Progress of long work: a bar on a terminal, plain lines elsewhere; always on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any

SECONDS_BETWEEN_LINES = 5.0

# Told how much is done so far; and, if that became known only later, of how much.
Report = Callable[..., None]


@contextmanager
def progress(
    title: str, total: int | None, unit: str = "", stream: IO[str] | None = None
) -> Iterator[Report]:
    """Show how far something is: ``report(done)`` or ``report(done, total)`` as often as one likes.

    ``unit`` names what is counted ("records"). Without a total the count alone is shown.
    """
    out = stream or sys.stderr
    if out.isatty():
        with _bar(title, total, unit, out) as report:
            yield report
    else:
        with _lines(title, total, unit, out) as report:
            yield report


@contextmanager
def _bar(title: str, total: int | None, unit: str, out: IO[str]) -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn(f"{{task.description:<{max(24, len(title))}}}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    with Progress(*columns, console=Console(file=out)) as bar:
        task = bar.add_task(title, total=total)

        def report(done: int, of: int | None = None) -> None:
            if of is not None:
                bar.update(task, total=of)
            bar.update(task, completed=done)

        yield report


@contextmanager
def _lines(title: str, total: int | None, unit: str, out: IO[str]) -> Iterator[Report]:
    state: dict[str, Any] = {"said": -1, "done": 0, "of": total, "at": time.monotonic()}

    def say() -> None:
        done, of = state["done"], state["of"]
        count = f"{done:,}" if of is None else f"{done:,} of {of:,}"
        out.write(f"{title}: {count}{' ' + unit if unit else ''}\n")
        out.flush()
        state["said"], state["at"] = done, time.monotonic()

    def report(done: int, of: int | None = None) -> None:
        state["done"] = done
        if of is not None:
            state["of"] = of
        if done != state["said"] and time.monotonic() - state["at"] >= SECONDS_BETWEEN_LINES:
            say()

    yield report
    if state["said"] != state["done"]:
        say()
