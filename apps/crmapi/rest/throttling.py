"""How often a client, a customer, or an address without a token may call."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Any, NamedTuple

from django.conf import settings
from rest_framework.request import Request

from apps.crm.domain.access import Caller
from apps.crm.services.rate_limits import RateLimiter
from apps.crm.services.shared_rates import shared_buckets

_NEVER = datetime.max.replace(tzinfo=UTC)


def count_call(caller: Caller) -> None:
    """A call with a token that counts: TooManyRequests if it comes too early.

    A client has the limit of its row (or BSS_API_CALLS_A_SECOND), a customer the one of self-care.
    """
    if caller.only_own:
        caller = replace(
            caller,
            calls_a_second=float(settings.REST_SELF_CARE_CALLS_A_SECOND),
            burst=settings.REST_SELF_CARE_BURST,
        )
    _limiters().calls.admit(caller, time.monotonic())


def count_refused_token(request: Request) -> None:
    """A request whose token did not count: TooManyRequests if an address sends too many of them."""
    address = Caller(
        tenant_id=0,
        tenant="",
        subject="",
        client=f"address {remote_address(request)}",
        roles=frozenset(),
        expires_at=_NEVER,
        calls_a_second=settings.REST_REFUSALS_A_MINUTE / 60,
        burst=settings.REST_REFUSALS_A_MINUTE,
    )
    _limiters().refusals.admit(address, time.monotonic())


def remote_address(request: Any) -> str:
    """Where the request comes from; behind a proxy, the proxy's address."""
    return str(request.META.get("REMOTE_ADDR", ""))


class _Limiters(NamedTuple):
    calls: RateLimiter
    refusals: RateLimiter


@cache
def _limiters() -> _Limiters:
    shared = shared_buckets()
    return _Limiters(RateLimiter(shared=shared), RateLimiter(shared=shared, name="refusals"))


def forget_rates() -> None:
    """Let everybody call again at once, and read the settings again; for tests."""
    _limiters.cache_clear()
