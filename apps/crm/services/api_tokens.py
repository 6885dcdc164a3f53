"""Opaque API tokens: issued once, kept as hashes, taken back; and who calls with one."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from apps.crm.domain.access import ROLES, SELF_CARE, Caller
from apps.crm.domain.errors import Unauthenticated
from apps.crm.models import ApiToken
from apps.kernel.errors import InvalidInput, NotFound
from apps.rating.models import Tenant
from apps.subscribers.models import Subscriber

# What such a token begins with: scanners for secrets that were committed by mistake can know it.
PREFIX = "bss_"
HINT_LENGTH = 10
LONGEST = timedelta(days=366)
_TOKEN = re.compile(PREFIX + r"[A-Za-z0-9_-]{43}", re.ASCII)
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,120}")


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A new token on its way to its holder; ``token`` is shown only once."""

    id: int
    token: str
    name: str
    roles: tuple[str, ...]
    subscriber_id: int | None
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Revoked:
    """How many tokens of a subscriber counted until now."""

    subscriber_id: int
    revoked: int


@transaction.atomic
def create_api_token(
    tenant: str,
    name: str,
    roles: list[str],
    *,
    now: datetime,
    lifetime: timedelta,
    by: str = "",
    subscriber_id: int | None = None,
) -> IssuedToken:
    """A token of a tenant with roles; one with the role self_care is for one subscriber and has no other role.

    Raises InvalidInput (role, name, lifetime), NotFound (tenant, subscriber).
    """
    wanted = sorted(set(roles))
    if not wanted or not set(wanted) <= set(ROLES):
        raise InvalidInput(f"roles are {', '.join(ROLES)}; give one or more of them", where="roles")
    if (SELF_CARE in wanted) != (subscriber_id is not None) or (SELF_CARE in wanted and len(wanted) > 1):
        raise InvalidInput(
            "a self_care token is for one subscriber and has no other role; other tokens are for none",
            where="subscriber_id",
        )
    if not _NAME.fullmatch(name):
        raise InvalidInput("a name has 1 to 120 characters", where="name")
    if not timedelta(0) < lifetime <= LONGEST:
        raise InvalidInput(f"a token lives for up to {LONGEST.days} days", where="lifetime")
    owner = Tenant.objects.filter(code=tenant).first()
    if owner is None:
        raise NotFound(f"there is no tenant {tenant}", where="tenant", code="unknown_tenant")
    if subscriber_id is not None and not Subscriber.objects.filter(pk=subscriber_id, tenant=owner).exists():
        raise NotFound(f"there is no subscriber {subscriber_id}", where="subscriber_id")
    token = PREFIX + secrets.token_urlsafe(32)
    row = ApiToken.objects.create(
        tenant=owner,
        name=name,
        roles=" ".join(wanted),
        subscriber_id=subscriber_id,
        token_hash=_hash(token),
        hint=token[:HINT_LENGTH],
        created_at=now,
        created_by=by[:190],
        expires_at=now + lifetime,
    )
    return IssuedToken(row.pk, token, name, tuple(wanted), subscriber_id, row.expires_at)


def issue_self_care_token(
    tenant: str, subscriber_id: int, *, now: datetime, hours: int = 0, by: str = ""
) -> IssuedToken:
    """A customer's own token for their own view; lives for BSS_REST_SELF_CARE_TOKEN_H hours by default.

    Raises NotFound, InvalidInput.
    """
    number = (
        Subscriber.objects.filter(tenant__code=tenant, pk=subscriber_id)
        .values_list("number", flat=True)
        .first()
    )
    if number is None:
        raise NotFound(f"there is no subscriber {subscriber_id}")
    lifetime = timedelta(hours=hours or settings.REST_SELF_CARE_TOKEN_H)
    return create_api_token(
        tenant,
        f"subscriber {number}",
        [SELF_CARE],
        now=now,
        lifetime=lifetime,
        by=by,
        subscriber_id=subscriber_id,
    )


def revoke_api_tokens(
    *, now: datetime, token: str = "", token_id: int = 0, tenant: str = "", subscriber_id: int = 0
) -> int:
    """Take back one token (given itself or by id) or all of a subscriber's, at once; how many counted until now."""
    which = (
        Q(pk=token_id)
        if token_id
        else Q(token_hash=_hash(token))
        if token
        else Q(subscriber_id=subscriber_id)
    )
    if tenant:
        which &= Q(tenant__code=tenant)
    return ApiToken.objects.filter(which, revoked_at=None).update(revoked_at=now)


def is_api_token(token: str) -> bool:
    """Whether this is meant to be an opaque token rather than a JWT."""
    return token.startswith(PREFIX)


def caller_of_api_token(token: str, now: datetime) -> Caller:
    """Who calls with this token; raises Unauthenticated with the rule that it breaks."""
    row = None
    if _TOKEN.fullmatch(token):
        row = ApiToken.objects.select_related("tenant").filter(token_hash=_hash(token)).first()
    if row is None:
        raise Unauthenticated("this is not a token that was issued here", code="unknown_token")
    if row.revoked_at is not None:
        raise Unauthenticated("the token was revoked", code="revoked")
    if row.expires_at <= now:
        raise Unauthenticated(f"the token expired at {row.expires_at:%Y-%m-%d %H:%M:%S} UTC", code="expired")
    return Caller(
        tenant_id=row.tenant_id,
        tenant=row.tenant.code,
        subject=row.name,
        # Each token is a client of its own, with its own limit and its own idempotency keys.
        client=f"token-{row.pk}",
        roles=frozenset(row.roles.split()),
        expires_at=row.expires_at,
        token_id=f"sha256:{row.token_hash}",
        subscriber_id=row.subscriber_id,
        calls_a_second=float(settings.API_CALLS_A_SECOND),
        burst=settings.API_BURST,
    )


def _hash(token: str) -> str:
    return sha256(token.encode()).hexdigest()
