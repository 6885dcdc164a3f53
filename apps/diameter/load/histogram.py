"""Latencies in buckets that grow by a fiftieth: bounded memory, percentiles within two per cent."""

from __future__ import annotations

import math

_GROWTH = math.log(1.02)


class Histogram:
    """Counts of durations, from a microsecond up."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self.count = 0
        self.total_s = 0.0
        self.longest_s = 0.0

    def add(self, seconds: float) -> None:
        bucket = int(math.log(max(seconds * 1e6, 1.0)) / _GROWTH)
        self._counts[bucket] = self._counts.get(bucket, 0) + 1
        self.count += 1
        self.total_s += seconds
        self.longest_s = max(self.longest_s, seconds)

    def percentile_s(self, percent: float) -> float:
        """The duration that so many per cent did not exceed, in seconds; 0 without any."""
        wanted = math.ceil(self.count * percent / 100)
        seen = 0
        for bucket in sorted(self._counts):
            seen += self._counts[bucket]
            if seen >= wanted:
                return min(math.exp((bucket + 1) * _GROWTH) / 1e6, self.longest_s)
        return 0.0

    def summary_ms(self) -> dict[str, float]:
        """The usual figures, in milliseconds."""
        figures = {
            "mean": self.total_s / self.count if self.count else 0.0,
            "p50": self.percentile_s(50),
            "p90": self.percentile_s(90),
            "p99": self.percentile_s(99),
            "p99.9": self.percentile_s(99.9),
            "max": self.longest_s,
        }
        return {name: round(seconds * 1000, 3) for name, seconds in figures.items()}
