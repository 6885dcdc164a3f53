"""Which of several timings applies at an instant, precomputed into bands of a day.

Source: CGRateS ``engine/rateinterval.go`` (``RITiming.IsActiveAt``, weights); of equal weights the latest start.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from apps.kernel.periods import local_instant
from apps.kernel.units import SECONDS_PER_DAY
from apps.rating.domain.source import Timing

NO_TIMING = -1
FOREVER = 1 << 62
_MAX_CACHED_DAYS = 4_000


def applies_on(timing: Timing, day: date) -> bool:
    """Whether the timing's date conditions hold on ``day``."""
    return (
        (not timing.years or day.year in timing.years)
        and (not timing.months or day.month in timing.months)
        and (not timing.month_days or day.day in timing.month_days)
        and (not timing.weekdays or day.isoweekday() in timing.weekdays)
    )


def always_applies(timing: Timing) -> bool:
    """Whether the timing holds at every instant."""
    return not any(timing[1:5]) and timing.start_s == 0 and timing.end_s == SECONDS_PER_DAY


class Schedule:
    """Weighted timings on the clock of one time zone.

    At an instant the timing with the highest weight applies; among equals the one that starts latest in the
    day, then the first declared. Indexes refer to the timings as given; NO_TIMING marks a gap.
    """

    __slots__ = ("_bands", "always", "entries", "zone")

    def __init__(self, entries: tuple[tuple[Timing, Decimal], ...], zone: ZoneInfo) -> None:
        self.entries = entries
        self.zone = zone
        # A schedule without bands: one timing that always applies and that none can beat.
        top = max(range(len(entries)), key=self._precedence)
        rivals = any(entries[i][1] == entries[top][1] and i != top for i in range(len(entries)))
        self.always = top if always_applies(entries[top][0]) and not rivals else NO_TIMING
        self._bands: dict[int, tuple[list[int], list[int]]] = {}

    def at(self, epoch: int) -> tuple[int, int]:
        """The timing's index at ``epoch`` (Unix seconds) and the instant until which it surely stays so."""
        day = epoch // SECONDS_PER_DAY
        bands = self._bands.get(day)
        if bands is None:
            if len(self._bands) >= _MAX_CACHED_DAYS:
                self._bands.clear()
            bands = self._bands[day] = self._bands_of_utc_day(day)
        starts, winners = bands
        index = bisect_right(starts, epoch) - 1
        return winners[index], starts[index + 1]

    def _precedence(self, index: int) -> tuple[Decimal, int, int]:
        timing, weight = self.entries[index]
        return weight, timing.start_s, -index

    def _bands_of_utc_day(self, day: int) -> tuple[list[int], list[int]]:
        first, end = day * SECONDS_PER_DAY, (day + 1) * SECONDS_PER_DAY
        local_day = datetime.fromtimestamp(first, UTC).astimezone(self.zone).date()
        starts, winners = [first], [NO_TIMING]
        for ahead in (0, 1, 2):
            for start, winner in self._bands_of_local_day(local_day + timedelta(days=ahead)):
                if start >= end:
                    break
                if start <= starts[-1]:
                    winners[-1] = winner
                elif winner != winners[-1]:
                    starts.append(start)
                    winners.append(winner)
        return [*starts, end], winners

    def _bands_of_local_day(self, day: date) -> Iterator[tuple[int, int]]:
        matching = [i for i, (timing, _) in enumerate(self.entries) if applies_on(timing, day)]
        cuts = {0}
        for i in matching:
            timing = self.entries[i][0]
            cuts.update((timing.start_s, timing.end_s))
        cuts.discard(SECONDS_PER_DAY)
        for cut in sorted(cuts):
            current = [i for i in matching if self.entries[i][0].start_s <= cut < self.entries[i][0].end_s]
            winner = max(current, key=self._precedence, default=NO_TIMING)
            yield int(local_instant(day, cut, self.zone).timestamp()), winner
