"""What a benchmark is given and what it gives back; ``run.py`` says how to write one."""

from __future__ import annotations

import contextlib
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Measurement:
    """One figure, its baseline and its promise.

    ``value`` and ``baseline`` are in ``unit``; the ratio is value / baseline. For a rate, promise ``ratio_at_least``
    or ``at_least``; for a duration, ``ratio_at_most`` or ``at_most``. ``peak_mb`` is the peak resident memory, in
    10⁶ octets.
    """

    name: str
    value: float
    unit: str
    peak_mb: float
    against: str = ""
    baseline: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    ratio_at_least: float | None = None
    ratio_at_most: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        return self.value / self.baseline if self.baseline else None

    @property
    def promise(self) -> str:
        """The promise in words for the table; empty if there is none."""
        parts = []
        if self.ratio_at_least is not None:
            parts.append(f"ratio ≥ {self.ratio_at_least:g}")
        if self.ratio_at_most is not None:
            parts.append(f"ratio ≤ {self.ratio_at_most:g}")
        if self.at_least is not None:
            parts.append(f"≥ {self.at_least:,.0f}")
        if self.at_most is not None:
            parts.append(f"≤ {self.at_most:,.0f}")
        return ", ".join(parts)

    @property
    def kept(self) -> bool:
        """Whether everything that was promised holds."""
        ratio = self.ratio
        return (
            (self.at_least is None or self.value >= self.at_least)
            and (self.at_most is None or self.value <= self.at_most)
            and (self.ratio_at_least is None or (ratio is not None and ratio >= self.ratio_at_least))
            and (self.ratio_at_most is None or (ratio is not None and ratio <= self.ratio_at_most))
        )


class Timing:
    """Filled when the measured block ends."""

    seconds = 0.0
    peak_mb = 0.0

    def rate(self, count: float) -> float:
        """So many per second."""
        return count / self.seconds

    def add(self, part: Timing) -> None:
        """This took so much longer, and at its peak perhaps more memory."""
        self.seconds += part.seconds
        self.peak_mb = max(self.peak_mb, part.peak_mb)


@dataclass(frozen=True)
class Setup:
    """Where a benchmark runs.

    ``database`` is "mariadb", "sqlite" or "" (none); it is empty but migrated, and Django is set up. ``scale``
    multiplies the amounts (1 for the figures that are published), ``folder`` is a temporary one of its own.
    """

    database: str
    scale: float
    folder: Path

    def scaled(self, count: int, at_least: int = 1) -> int:
        return max(at_least, round(count * self.scale))

    def progress(self, text: str) -> None:
        """A line about progress, on standard error."""
        print(f"  {text}", file=sys.stderr, flush=True)

    @contextlib.contextmanager
    def measure(self) -> Iterator[Timing]:
        """``with setup.measure() as timing: …`` then ``timing.seconds``, ``timing.rate(n)``, ``timing.peak_mb``.

        The memory is this process's own peak inside the block where Linux lets it be reset, else since the start.
        Children that have ended count if they were larger.
        """
        timing = Timing()
        _reset_peak_memory()
        started = time.perf_counter()
        yield timing
        timing.seconds = time.perf_counter() - started
        timing.peak_mb = max(
            _peak_memory_mb(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e6
        )


def _reset_peak_memory() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak_memory_mb() -> float:
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
