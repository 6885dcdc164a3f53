"""When the price of usage that is not voice changes next (Tariff-Time-Change)."""

from __future__ import annotations

from datetime import UTC, datetime

from apps.rating.domain import Rater, Usage
from apps.rating.domain.usage import VOICE


def next_tariff_change(rater: Rater, usage: Usage, within_s: int) -> datetime | None:
    """The instant within ``within_s`` seconds of the usage's start at which other rates begin to apply, or None.

    A call needs none: it is priced second by second across the change.
    """
    if usage.tor == VOICE:
        return None
    chain, stem = rater.chain(usage), rater.stem(usage.destination)
    epoch = int(usage.start.timestamp())
    horizon = epoch + within_s
    era = rater.era(chain, stem, epoch)
    if era.match is None:
        return None
    if era.match.schedule.always >= 0:
        return datetime.fromtimestamp(era.until, UTC) if era.until <= horizon else None
    timing, until = era.match.schedule.at(epoch)
    while until <= horizon:
        if until >= era.until:
            return datetime.fromtimestamp(era.until, UTC)
        following, after = era.match.schedule.at(until)
        if following != timing:
            return datetime.fromtimestamp(until, UTC)
        until = after
    return None
