"""Buckets of rates that all processes share, in Redis: one script takes calls out of a bucket, atomically."""

from __future__ import annotations

import time
from typing import NamedTuple, Protocol

import structlog
from django.conf import settings

log = structlog.get_logger(__name__)

TIMEOUT_S = 0.2
# After an error, processes count by themselves for so long before they ask again.
REST_S = 5.0
PREFIX = "bss:rates:"

# By the server's own clock, which all processes share. A bucket that is full again expires.
_TAKE = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local rate, burst, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local held = redis.call('HMGET', KEYS[1], 'calls', 'at')
local calls, at = tonumber(held[1]) or burst, tonumber(held[2]) or now
calls = math.min(burst, calls + math.max(0, now - at) * rate)
local granted = math.min(wanted, math.floor(calls))
calls = calls - granted
redis.call('HSET', KEYS[1], 'calls', string.format('%.9f', calls), 'at', string.format('%.6f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil(burst / rate * 1000) + 1000)
local wait = 0
if granted == 0 then wait = (1 - calls) / rate end
return {granted, string.format('%.6f', wait)}
"""


class Taken(NamedTuple):
    """How many calls may come now, and, if none may, after how many seconds one may."""

    calls: int
    wait_s: float


class SharedBuckets(Protocol):
    """Where calls are taken out of a bucket that all processes share."""

    def take(self, key: str, calls_a_second: float, burst: int, wanted: int) -> Taken | None:
        """Up to ``wanted`` calls; None if Redis does not answer and the process has to count by itself."""


class RedisBuckets:
    """Buckets in Redis. After an error, which is logged, Redis is not asked for some seconds."""

    def __init__(self, url: str) -> None:
        # A server that has no Redis starts without its client.
        from redis import Redis
        from redis.backoff import NoBackoff
        from redis.exceptions import RedisError
        from redis.retry import Retry

        self._fault: type[Exception] = RedisError
        # Calls wait for it: no retries, which would make them wait for seconds.
        client = Redis.from_url(
            url,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
        )
        self._script = client.register_script(_TAKE)
        self._rests_until_s = 0.0

    def take(self, key: str, calls_a_second: float, burst: int, wanted: int) -> Taken | None:
        if time.monotonic() < self._rests_until_s:
            return None
        try:
            granted, wait_s = self._script(keys=[PREFIX + key], args=[calls_a_second, burst, wanted])
        except self._fault as error:
            self._rests_until_s = time.monotonic() + REST_S
            log.warning("rates_counted_by_this_process", reason=str(error)[:200], for_s=REST_S)
            return None
        return Taken(int(granted), float(wait_s))


def shared_buckets() -> RedisBuckets | None:
    """The buckets of this installation; None without Redis, where each process counts by itself."""
    if settings.API_RATES_URL:
        return RedisBuckets(settings.API_RATES_URL)
    log.info("rates_counted_by_each_process", reason="BSS_API_RATES_URL and BROKER_URL name no Redis")
    return None
