"""How often a client may call all processes together, or, without Redis, each of them; bounded memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Generic, TypeVar

from apps.crm.domain.access import PLATFORM_CLIENT, Caller
from apps.crm.domain.errors import TooManyRequests
from apps.crm.domain.rate_limit import Bucket, Lease, leased, take
from apps.crm.services.shared_rates import SharedBuckets

MOST_BUCKETS = 10_000

T = TypeVar("T")
Key = tuple[str, str, str]


class _Kept(OrderedDict[Key, T], Generic[T]):
    """The values used last, at most so many."""

    def keep(self, key: Key, value: T, most: int) -> None:
        self[key] = value
        self.move_to_end(key)
        while len(self) > most:
            self.popitem(last=False)


class RateLimiter:
    """Buckets by client; a self-care customer has one of their own, or one would use up the portal's.

    With ``shared`` buckets a process takes calls out of them a few at a time (a lease), so that most calls wait for
    nothing; ``name`` tells the buckets of one limiter from those of another.
    """

    def __init__(
        self, most: int = MOST_BUCKETS, shared: SharedBuckets | None = None, name: str = "calls"
    ) -> None:
        self._most = most
        self._shared = shared
        self._name = name
        self._lock = threading.Lock()
        self._buckets: _Kept[Bucket] = _Kept()
        self._leases: _Kept[Lease] = _Kept()

    def admit(self, caller: Caller, now_s: float) -> None:
        """Count a call at ``now_s`` (seconds of a monotonic clock); raises TooManyRequests if it comes too early."""
        if caller.calls_a_second <= 0:
            return
        own = caller.client == PLATFORM_CLIENT or caller.only_own
        key = (caller.tenant, caller.client, caller.subject if own else "")
        wait_s = self._shared_wait_s(key, caller, now_s)
        if wait_s is None:
            wait_s = self._own_wait_s(key, caller, now_s)
        if wait_s > 0:
            raise TooManyRequests(
                f"{caller.client} calls more than {caller.calls_a_second:g} times a second; "
                f"wait {wait_s:.3f} s",
                wait_s,
            )

    def _shared_wait_s(self, key: Key, caller: Caller, now_s: float) -> float | None:
        """Seconds to wait by the shared buckets; None if there are none or Redis does not answer."""
        if self._shared is None:
            return None
        with self._lock:
            lease = self._leases.get(key)
            if lease is not None and lease.calls > 0 and now_s < lease.ends_at_s:
                self._leases[key] = lease._replace(calls=lease.calls - 1)
                return 0.0
        burst = max(1, caller.burst)
        wanted = leased(caller.calls_a_second, burst)
        taken = self._shared.take(f"{self._name}:{':'.join(key)}", caller.calls_a_second, burst, wanted)
        if taken is None or taken.calls == 0:
            return None if taken is None else taken.wait_s
        with self._lock:
            self._leases.keep(key, Lease(taken.calls - 1, now_s + 1.0), self._most)
        return 0.0

    def _own_wait_s(self, key: Key, caller: Caller, now_s: float) -> float:
        with self._lock:
            bucket, wait_s = take(self._buckets.get(key), now_s, caller.calls_a_second, max(1, caller.burst))
            self._buckets.keep(key, bucket, self._most)
        return wait_s
