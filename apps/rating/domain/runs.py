"""Runs: a record, or a request in real time, may be charged several times for different parties or purposes.

A run names one of these charges (CGRateS: ``RunID``, derived charging), such as what a reseller or a supplier gets for
the same call. The default run is the subscriber's own: what an account is billed for.
"""

from __future__ import annotations

from typing import Final

DEFAULT_RUN: Final = "*default"
"""The run that bills, statements, statistics and customers see."""
LONGEST_RUN: Final = 32
