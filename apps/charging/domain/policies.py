"""Quota policies: how much of a service is granted at a time, for how long, and what follows the last of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from apps.charging.domain.requests import FinalUnit
from apps.kernel.units import NANO, VOICE_NS


class QuotaPolicy(NamedTuple):
    """How quotas are given out for a service under a price plan.

    ``default_units`` is granted if the client lets the server decide, ``max_units`` bounds any grant (0: the bound of
    :data:`LARGEST_GRANTS`). Intervals are seconds; a grant is valid for ``validity_s``, and a session that is silent
    for twice that is ended. ``threshold_percent`` of the grant is left when the client should report early (0: it need
    not). Once ``fair_use_units`` of the service's free units are used in a month (0: no bound), nothing more is granted
    and the final action follows.
    """

    default_units: int
    max_units: int = 0
    validity_s: int = 600
    quota_holding_s: int | None = None
    threshold_percent: int = 0
    final: FinalUnit = FinalUnit()
    fair_use_units: int = 0

    def units_to_grant(self, asked: int | None, type_of_record: str) -> int:
        """What is granted at most to a client that asks for so many units.

        None and 0 leave it to the server. Clients ask for the largest number that there is (2^32 - 1 seconds, 2^63
        octets) to get as much as possible.
        """
        if not asked:
            asked = self.default_units
        largest = self.max_units or max(self.default_units, LARGEST_GRANTS.get(type_of_record, MOST_EVENTS))
        return min(asked, largest)

    def in_nanoseconds(self) -> QuotaPolicy:
        """The same policy for usage in nanoseconds."""
        return self._replace(
            default_units=self.default_units * NANO,
            max_units=self.max_units * NANO,
            fair_use_units=self.fair_use_units * NANO,
        )


LARGEST_GRANTS: Mapping[str, int] = {
    "voice": 86_400,
    VOICE_NS: 86_400 * NANO,
    "data": 10 * 1024 * 1024 * 1024,
}
"""Seconds and octets that one grant has at most under a policy without a bound of its own."""
MOST_EVENTS = 1_000
"""As :data:`LARGEST_GRANTS`, for everything that is counted."""


DEFAULT_POLICIES: Mapping[str, QuotaPolicy] = {
    "voice": QuotaPolicy(default_units=300),
    "data": QuotaPolicy(default_units=10 * 1024 * 1024),
}
"""By type of record, for a price plan without a policy of its own."""
ONE_EVENT = QuotaPolicy(default_units=1)
"""The policy of all other types: they count messages or events."""
