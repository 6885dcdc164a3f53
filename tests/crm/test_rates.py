"""Rates hold across processes if there is a Redis, and in each process if there is none."""

from __future__ import annotations

import os
import signal
import time
from datetime import UTC, datetime

import pytest
from django.core.checks import run_checks
from structlog.testing import capture_logs

from apps.crm.domain.access import Caller
from apps.crm.domain.errors import TooManyRequests
from apps.crm.services.rate_limits import RateLimiter
from apps.crm.services.shared_rates import RedisBuckets, shared_buckets

NEVER = datetime(9000, 1, 1, tzinfo=UTC)


def caller(client: str = "crm", calls_a_second: float = 10, burst: int = 20) -> Caller:
    return Caller(
        tenant_id=1,
        tenant="default",
        subject="ada",
        client=client,
        roles=frozenset(),
        expires_at=NEVER,
        calls_a_second=calls_a_second,
        burst=burst,
    )


def admitted(limiters: list[RateLimiter], who: Caller, calls: int, now_s: float = 100.0) -> int:
    """How many of so many calls, spread over the limiters, are let in at once."""
    count = 0
    for number in range(calls):
        try:
            limiters[number % len(limiters)].admit(who, now_s)
            count += 1
        except TooManyRequests:
            continue
    return count


def processes(url: str, count: int = 3) -> list[RateLimiter]:
    return [RateLimiter(shared=RedisBuckets(url)) for _ in range(count)]


def test_processes_that_share_a_redis_let_a_client_in_as_often_as_one(own_redis):
    limiters = processes(own_redis.url(0))
    assert admitted(limiters, caller(), 90) in (20, 21)
    # Another client, and another limiter's bucket, are their own.
    assert admitted(limiters, caller("portal"), 90) in (20, 21)
    refusals = RateLimiter(shared=RedisBuckets(own_redis.url(0)), name="refusals")
    assert admitted([refusals], caller(), 90) in (20, 21)


def test_a_fast_client_is_asked_for_rarely_and_still_not_let_in_more_often(own_redis):
    asked = 0

    class Counting(RedisBuckets):
        def take(self, *args, **kwargs):
            nonlocal asked
            asked += 1
            return super().take(*args, **kwargs)

    limiters = [RateLimiter(shared=Counting(own_redis.url(0))) for _ in range(2)]
    # What refills during the test itself may come in addition.
    assert 4_000 <= admitted(limiters, caller(calls_a_second=2_000, burst=4_000), 4_000) <= 4_000
    assert asked <= 102
    slow = caller("slow", calls_a_second=0.5, burst=1)
    assert admitted(limiters, slow, 10) == 1
    with pytest.raises(TooManyRequests) as refused:
        limiters[0].admit(slow, 100.0)
    assert 1 < refused.value.retry_after_s <= 2


def test_a_lease_that_was_not_used_up_ends(own_redis):
    limiter = RateLimiter(shared=RedisBuckets(own_redis.url(0)))
    who = caller(calls_a_second=100, burst=40)
    limiter.admit(who, 100.0)
    assert limiter._leases[("default", "crm", "")].calls == 1
    limiter.admit(who, 102.0)
    assert limiter._leases[("default", "crm", "")].ends_at_s == 103.0


def test_without_a_redis_that_answers_each_process_counts_by_itself_and_says_so():
    limiters = processes("redis://127.0.0.1:1/0", 2)
    with capture_logs() as logged:
        assert admitted(limiters, caller(), 90) == 40
    # Once for some seconds, not at each call.
    assert [line["event"] for line in logged] == ["rates_counted_by_this_process"] * 2


def test_a_redis_that_hangs_keeps_no_call_waiting_for_long(own_redis):
    limiter = RateLimiter(shared=RedisBuckets(own_redis.url(0)))
    limiter.admit(caller(), 100.0)
    os.kill(own_redis.process.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        assert admitted([limiter], caller(), 30) == 20
        assert time.monotonic() - began < 2
    finally:
        os.kill(own_redis.process.pid, signal.SIGCONT)


def test_an_installation_without_redis_says_that_each_process_counts(settings):
    settings.API_RATES_URL, settings.GRPC_PROCESSES = "", 1
    with capture_logs() as logged:
        assert shared_buckets() is None
    assert [line["event"] for line in logged] == ["rates_counted_by_each_process"]
    assert [found for found in run_checks() if found.id == "crm.W001"] == []
    settings.GRPC_PROCESSES = 4
    assert [found.id for found in run_checks() if found.id == "crm.W001"] == ["crm.W001"]
    settings.API_RATES_URL = "redis://localhost/0"
    assert [found for found in run_checks() if found.id == "crm.W001"] == []
    assert shared_buckets() is not None
