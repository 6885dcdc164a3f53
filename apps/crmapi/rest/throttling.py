"""How often a client, a customer, or an address without a token may call; counted by each web process for itself."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from rest_framework.request import Request

from apps.crm.domain.access import Caller
from apps.crm.services.rate_limits import RateLimiter

_limiter = RateLimiter()
_refusals = RateLimiter()
_NEVER = datetime.max.replace(tzinfo=UTC)


def count_call(caller: Caller) -> None:
    """A call with a token that counts: TooManyRequests where it comes too early.

    A client has the limit of its row (or BSS_API_CALLS_A_SECOND), a customer the one of self-care.
    """
    if caller.only_own:
        caller = replace(
            caller,
            calls_a_second=float(settings.REST_SELF_CARE_CALLS_A_SECOND),
            burst=settings.REST_SELF_CARE_BURST,
        )
    _limiter.admit(caller, time.monotonic())


def count_refused_token(request: Request) -> None:
    """A request whose token did not count: TooManyRequests where an address sends too many of them."""
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
    _refusals.admit(address, time.monotonic())


def remote_address(request: Any) -> str:
    """Where the request comes from; behind a proxy, the proxy's address."""
    return str(request.META.get("REMOTE_ADDR", ""))


def forget_rates() -> None:
    """Let everybody call again at once; for tests."""
    global _limiter, _refusals
    _limiter, _refusals = RateLimiter(), RateLimiter()
