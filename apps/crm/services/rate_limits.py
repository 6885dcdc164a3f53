"""How often a client may call one process; kept in memory, and bounded."""

from __future__ import annotations

import threading
from collections import OrderedDict

from apps.crm.domain.access import PLATFORM_CLIENT, Caller
from apps.crm.domain.errors import TooManyRequests
from apps.crm.domain.rate_limit import Bucket, take

MOST_BUCKETS = 10_000


class RateLimiter:
    """Buckets by client; a self-care customer has one of their own, or one would use up the portal's."""

    def __init__(self, most: int = MOST_BUCKETS) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._buckets: OrderedDict[tuple[str, str, str], Bucket] = OrderedDict()

    def admit(self, caller: Caller, now_s: float) -> None:
        """Count a call at ``now_s`` (seconds of a steady clock); raises TooManyRequests if it comes too early."""
        if caller.calls_a_second <= 0:
            return
        own = caller.client == PLATFORM_CLIENT or caller.only_own
        key = (caller.tenant, caller.client, caller.subject if own else "")
        with self._lock:
            bucket, wait_s = take(self._buckets.get(key), now_s, caller.calls_a_second, max(1, caller.burst))
            self._buckets[key] = bucket
            self._buckets.move_to_end(key)
            while len(self._buckets) > self._most:
                self._buckets.popitem(last=False)
        if wait_s > 0:
            raise TooManyRequests(
                f"{caller.client} calls more than {caller.calls_a_second:g} times a second; "
                f"wait {wait_s:.3f} s",
                wait_s,
            )
