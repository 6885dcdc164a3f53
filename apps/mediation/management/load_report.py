"""How loading is shown: a progress bar on a terminal, plain lines otherwise, a table at the end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from apps.kernel.money import format_micros
from apps.mediation.services.file_folder import shown_name
from apps.mediation.services.load_file import FileOutcome, Outcome
from apps.mediation.services.steps import OnStep, no_steps

_COLOURS = {
    Outcome.LOADED: "green",
    Outcome.REPEATED: "yellow",
    Outcome.BUSY: "yellow",
    Outcome.CHANGING: "yellow",
    Outcome.GONE: "yellow",
    Outcome.REFUSED: "red",
    Outcome.FAILED: "bold red",
}
_MOST_REASONS = 12


class LoadReport:
    """Collects outcomes, says each, and sums them up."""

    def __init__(self, console: Console, *, dry_run: bool) -> None:
        self.console, self.dry_run = console, dry_run
        self.files: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.records: Counter[str] = Counter()
        self.cost_micros = 0
        self.octets = 0
        self._started = time.monotonic()

    @property
    def problems(self) -> bool:
        """Whether a file was refused or failed."""
        return bool(self.files[Outcome.REFUSED] or self.files[Outcome.FAILED])

    def say(self, text: str) -> None:
        self.console.print(Text(text), soft_wrap=True)

    @contextmanager
    def progress(self, files: Sequence[Path]) -> Iterator[Callable[[Path], OnStep]]:
        """Shows how far the files are while the block runs; on a terminal only."""
        if not self.console.is_terminal or not files:
            yield lambda path: no_steps
            return
        bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self.console,
            transient=True,
        )
        with bar:
            overall = bar.add_task("files", total=len(files))
            current = bar.add_task("", total=None)

            def on_step_of(path: Path) -> OnStep:
                def on_step(step: str, done: int, total: int) -> None:
                    bar.update(
                        current,
                        description=f"{shown_name(path)}: {step}",
                        completed=done if total else None,
                        total=total or None,
                    )
                    if step in ("moved", "read") and done == total:
                        bar.update(overall, completed=sum(self.files.values()))

                return on_step

            yield on_step_of

    def add(self, outcome: FileOutcome) -> None:
        """Take an outcome in, and say it in a line."""
        self.files[outcome.outcome] += 1
        totals = outcome.totals
        self.octets += outcome.size_octets
        for name in ("records", "rated", "duplicates", "suspended", "left_out"):
            self.records[name] += getattr(totals, name)
        self.reasons.update(outcome.reasons)
        self.cost_micros += totals.cost_micros
        line = Text(f"{outcome.name}: ")
        line.append(outcome.outcome.value, style=_COLOURS[outcome.outcome])
        if outcome.outcome is Outcome.LOADED:
            line.append(
                f", {totals.records:,} records: {totals.rated:,} rated, {totals.suspended:,} in suspense, "
                f"{totals.duplicates:,} duplicates"
            )
            if totals.left_out:
                line.append(f"; {totals.left_out:,} lines left out by the source's filter")
        if outcome.detail:
            line.append(f" ({outcome.detail})")
        self.console.print(line, soft_wrap=True)

    def summary(self) -> None:
        """The table at the end."""
        seconds = time.monotonic() - self._started
        table = Table(title="What would happen" if self.dry_run else "Loaded", title_justify="left")
        table.add_column("")
        table.add_column("", justify="right")
        total = sum(self.files.values())
        table.add_row("Files", f"{total:,}")
        for outcome in Outcome:
            if self.files[outcome]:
                table.add_row(f"  {outcome.value}", Text(f"{self.files[outcome]:,}", style=_COLOURS[outcome]))
        table.add_row("Records", f"{self.records['records']:,}")
        for name, label in (("rated", "rated"), ("suspended", "in suspense"), ("duplicates", "duplicates")):
            table.add_row(f"  {label}", f"{self.records[name]:,}")
        for reason, count in self.reasons.most_common(_MOST_REASONS):
            table.add_row(f"    {reason}", f"{count:,}")
        if self.records["left_out"]:
            table.add_row("Lines left out by filters", f"{self.records['left_out']:,}")
        table.add_row("Amount, all currencies", format_micros(self.cost_micros, 2))
        table.add_row("Seconds", f"{seconds:,.1f}")
        if self.records["records"] and seconds > 0:
            table.add_row("Records a second", f"{self.records['records'] / seconds:,.0f}")
        self.console.print(table)
