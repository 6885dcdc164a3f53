"""When prices change: for usage that is not voice the next time (Tariff-Time-Change), and whether they have."""

from __future__ import annotations

from datetime import UTC, datetime

from apps.kernel.units import CALLS
from apps.rating.domain import Rater, Usage


def next_tariff_change(rater: Rater, usage: Usage, within_s: int) -> datetime | None:
    """The instant within ``within_s`` seconds of the usage's start at which other rates begin to apply, or None.

    A call needs none: it is priced second by second across the change.
    """
    if usage.tor in CALLS:
        return None
    change = change_of_rates(rater, usage, within_s)
    return None if change is None else datetime.fromtimestamp(change, UTC)


def change_of_rates(rater: Rater, usage: Usage, within_s: int) -> int | None:
    """As :func:`next_tariff_change` for usage of any kind; in seconds since 1970."""
    chain, prefix = rater.chain(usage), rater.matched_prefix(usage.destination)
    epoch = int(usage.start.timestamp())
    horizon = epoch + within_s
    era = rater.era(chain, prefix, epoch)
    if era.match is None:
        return None
    if era.match.schedule.always >= 0:
        return era.until if era.until <= horizon else None
    timing, until = era.match.schedule.at(epoch)
    while until <= horizon:
        if until >= era.until:
            return era.until
        following, after = era.match.schedule.at(until)
        if following != timing:
            return until
        until = after
    return None


def same_rates(rater: Rater, usage: Usage, epoch: int) -> bool:
    """Whether the rates at the usage's start are those that applied at ``epoch`` (seconds since 1970)."""
    chain, prefix = rater.chain(usage), rater.matched_prefix(usage.destination)
    now = int(usage.start.timestamp())
    before, after = rater.era(chain, prefix, epoch).match, rater.era(chain, prefix, now).match
    if before is None or after is None or before is not after:
        return before is after
    schedule = after.schedule
    return schedule.always >= 0 or schedule.at(epoch)[0] == schedule.at(now)[0]
