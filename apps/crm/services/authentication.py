"""From a bearer token to who calls: keys and revocations from the database, remembered for seconds."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import NamedTuple

import structlog
from django.conf import settings

from apps.crm.domain.access import Caller
from apps.crm.domain.errors import Unauthenticated
from apps.crm.domain.tokens import Claims, SigningKey, TokenRules, read_token
from apps.crm.models import ApiKey, RevokedToken
from apps.crm.services.secrets import unseal
from apps.kernel.errors import InvalidInput
from apps.rating.models import Tenant

log = structlog.get_logger(__name__)

_readings = count(1)


def token_rules() -> TokenRules:
    """The rules that tokens of this installation keep, from its settings."""
    return TokenRules(
        issuer=settings.API_ISSUER,
        audience=settings.API_AUDIENCE,
        leeway_s=settings.API_TOKEN_LEEWAY_S,
        max_lifetime_s=settings.API_TOKEN_MAX_LIFETIME_H * 3600,
        max_octets=settings.API_TOKEN_MAX_OCTETS,
    )


def platform_keys() -> dict[str, SigningKey]:
    """The platform's own keys by kid; the first one signs."""
    return {kid: SigningKey(kid, secret) for kid, secret in settings.API_KEYS.items()}


@dataclass(frozen=True)
class Known:
    """What the database says of keys, clients' limits, tenants and revocations, as read at ``read_at``.

    ``number`` tells one reading of this process from another.
    """

    number: int
    read_at: datetime
    keys: Mapping[str, SigningKey]
    limits: Mapping[str, tuple[float, int]]
    tenants: Mapping[str, int]
    revoked: frozenset[str]


def read_known(now: datetime) -> Known:
    keys = platform_keys()
    limits: dict[str, tuple[float, int]] = {}
    rows = ApiKey.objects.filter(client__enabled=True).select_related("client__tenant")
    for row in rows:
        if row.retired_at is not None and row.retired_at <= now:
            continue
        client = row.client
        try:
            secret = unseal(row.sealed_secret)
        except InvalidInput as error:
            # One key that cannot be read must not shut out everybody else.
            log.error("api_key_cannot_be_read", kid=row.kid, error=error.message)
            continue
        keys[row.kid] = SigningKey(
            row.kid,
            secret,
            client.name,
            client.tenant.code,
            frozenset(client.roles.split()),
        )
        limits[client.name] = (
            float(client.calls_a_second or settings.API_CALLS_A_SECOND),
            client.burst or settings.API_BURST,
        )
    return Known(
        number=next(_readings),
        read_at=now,
        keys=keys,
        limits=limits,
        tenants=dict(Tenant.objects.values_list("code", "id")),
        revoked=frozenset(
            # A revocation holds for the leeway of the token's expiry too.
            RevokedToken.objects.filter(
                expires_at__gt=now - timedelta(seconds=settings.API_TOKEN_LEEWAY_S)
            ).values_list("token_id", flat=True)
        ),
    )


class _Seen(NamedTuple):
    """A token that was verified, and who calls with it by the reading ``number``; a newer one is asked again."""

    claims: Claims
    counts_until: datetime
    number: int = 0
    caller: Caller | None = None


class Authenticator:
    """Verifies tokens for one process. Threads may share it; what it remembers is bounded."""

    def __init__(self, refresh_s: float | None = None, remembered: int | None = None) -> None:
        self._refresh = timedelta(seconds=settings.API_CLIENTS_REFRESH_S if refresh_s is None else refresh_s)
        self._most = settings.API_TOKENS_REMEMBERED if remembered is None else remembered
        self._rules = token_rules()
        self._lock = threading.Lock()
        self._known: Known | None = None
        self._leeway = timedelta(seconds=self._rules.leeway_s)
        self._read: OrderedDict[str, _Seen] = OrderedDict()

    def is_fresh(self, now: datetime) -> bool:
        """Whether a call now would be answered without the database."""
        known = self._known
        # A call that waited for a refresh is a little older than the data; so is one after the clock went back.
        return known is not None and abs(now - known.read_at) < self._refresh

    def is_due(self, now: datetime) -> bool:
        """Whether it is time to :meth:`refresh`, though calls may still be answered: half of the time has passed."""
        known = self._known
        return known is None or abs(now - known.read_at) >= self._refresh / 2

    def refresh(self, now: datetime) -> None:
        """Refresh keys, clients and revocations from the database."""
        known = read_known(now)
        with self._lock:
            if self._known is None or known.keys != self._known.keys:
                # A key that went takes its tokens along.
                self._read.clear()
            self._known = known

    def caller(self, token: str, now: datetime) -> Caller:
        """Who calls with this token; raises Unauthenticated with the rule that it breaks."""
        if not self.is_fresh(now):
            self.refresh(now)
        known = self._known
        assert known is not None
        if len(token) > self._rules.max_octets:
            raise Unauthenticated(
                f"the token is longer than {self._rules.max_octets} octets", code="token_too_large"
            )
        with self._lock:
            seen = self._read.get(token)
            if seen is not None:
                self._read.move_to_end(token)
        if seen is None:
            claims = read_token(token, known.keys, self._rules, now)
            seen = _Seen(claims, claims.expires_at + self._leeway)
        elif seen.counts_until <= now:
            raise Unauthenticated(
                f"the token expired at {seen.claims.expires_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC",
                code="expired",
            )
        if seen.caller is not None and seen.number == known.number:
            return seen.caller
        caller = _caller(seen.claims, known)
        with self._lock:
            # Not if another thread has refreshed in between.
            if self._known is known:
                self._read[token] = seen._replace(number=known.number, caller=caller)
                while len(self._read) > self._most:
                    self._read.popitem(last=False)
        return caller


def _caller(claims: Claims, known: Known) -> Caller:
    """Who calls, unless the token was revoked or its tenant is gone."""
    if claims.token_id in known.revoked:
        raise Unauthenticated("the token was revoked", code="revoked")
    tenant_id = known.tenants.get(claims.tenant)
    if tenant_id is None:
        raise Unauthenticated(f"there is no tenant {claims.tenant}", code="unknown_tenant")
    calls_a_second, burst = known.limits.get(
        claims.client, (float(settings.API_CALLS_A_SECOND), settings.API_BURST)
    )
    return Caller(
        tenant_id=tenant_id,
        tenant=claims.tenant,
        subject=claims.subject,
        client=claims.client,
        roles=claims.roles,
        expires_at=claims.expires_at,
        token_id=claims.token_id,
        subscriber_id=claims.subscriber_id,
        calls_a_second=calls_a_second,
        burst=burst,
    )


def bearer_token(authorization: str) -> str:
    """The token in an ``authorization`` header; raises Unauthenticated if there is none."""
    scheme, _, token = authorization.strip().partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated(
            "this needs a token: send it as “authorization: Bearer …”", code="token_missing"
        )
    return token.strip()


_shared: Authenticator | None = None
_shared_lock = threading.Lock()


def shared_authenticator() -> Authenticator:
    """The one of this process."""
    global _shared
    with _shared_lock:
        if _shared is None:
            _shared = Authenticator()
        return _shared


def forget_shared_authenticator() -> None:
    """For tests that change keys or settings."""
    global _shared
    with _shared_lock:
        _shared = None
