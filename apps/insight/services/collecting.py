"""What the timer does: count all that is new."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from apps.insight.services.money import SETTLED_AFTER, collect_money
from apps.insight.services.subscribers import AGAIN_AFTER, collect_subscribers
from apps.insight.services.usage import collect_usage


class Collected(NamedTuple):
    """Counts of new rows: files of records, entries of the ledger (ids passed), days of subscribers."""

    files: int
    entries: int
    days: int


def collect_statistics(now: datetime, *, at_once: bool = False) -> Collected:
    """Count new rows, each once. ``at_once`` counts money and subscribers without waiting for them to settle.

    With ``at_once`` an entry of the ledger whose transaction is still open may be missed: for tests and demonstrations.
    """
    settled, again = (timedelta(0), timedelta(0)) if at_once else (SETTLED_AFTER, AGAIN_AFTER)
    return Collected(collect_usage(now), collect_money(now, settled), collect_subscribers(now, again))
