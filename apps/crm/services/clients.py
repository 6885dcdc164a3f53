"""API clients and their keys; the platform's own tokens; tokens taken back."""

from __future__ import annotations

import re
import secrets
from datetime import datetime, timedelta

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction

from apps.crm.domain.access import ROLES, SELF_CARE
from apps.crm.domain.tokens import issue_token, read_token
from apps.crm.models import ApiClient, ApiKey, RevokedToken
from apps.crm.services.authentication import platform_keys, read_known, token_rules
from apps.crm.services.secrets import seal
from apps.kernel.errors import Conflict, InvalidInput, InvalidInputs, NotFound, Problem
from apps.rating.models import Tenant


@transaction.atomic
def create_client(
    name: str, tenant: str, roles: list[str], now: datetime, description: str = ""
) -> ApiClient:
    """A new client of a tenant, whose tokens may give ``roles``. It needs a key next (:func:`create_key`)."""
    client = ApiClient(
        name=name,
        tenant=_tenant(tenant),
        roles=" ".join(dict.fromkeys(roles)),
        description=description,
        created_at=now,
    )
    try:
        client.full_clean(validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        raise InvalidInputs(
            [Problem(field, " ".join(texts)) for field, texts in error.message_dict.items()]
        ) from None
    if ApiClient.objects.filter(name=client.name).exists():
        raise Conflict(f"there is an API client {client.name} already", code="already_exists")
    client.save()
    return client


@transaction.atomic
def create_key(client_name: str, now: datetime) -> tuple[str, str]:
    """A new key for the client: (kid, secret). The secret is shown this once; older keys stay until retired."""
    client = _client(client_name)
    secret = secrets.token_urlsafe(48)
    kid = f"{client.name[:40]}-{secrets.token_hex(6)}"
    ApiKey.objects.create(client=client, kid=kid, sealed_secret=seal(secret), created_at=now)
    return kid, secret


@transaction.atomic
def retire_key(kid: str, now: datetime) -> ApiKey:
    """Tokens signed with this key are refused from now on. Raises NotFound; a second time changes nothing."""
    key = ApiKey.objects.select_for_update().filter(kid=kid).first()
    if key is None:
        raise NotFound(f"there is no key {kid}", where="kid")
    if key.retired_at is None:
        key.retired_at = now
        key.save(update_fields=["retired_at"])
    return key


def platform_token(
    *,
    subject: str,
    tenant: str,
    roles: list[str],
    lifetime_s: int,
    now: datetime,
    subscriber_id: int | None = None,
) -> str:
    """A token signed with the platform's own key (``manage.py issuetoken``); lifetime in seconds."""
    unknown = sorted(set(roles) - set(ROLES))
    if unknown or not roles:
        raise InvalidInput(f"roles are {', '.join(ROLES)}; give one or more of them", where="roles")
    if SELF_CARE in roles and subscriber_id is None:
        raise InvalidInput("a self_care token is for one subscriber: give its id", where="subscriber")
    if not re.fullmatch(r"[^\x00-\x1f\x7f]{1,120}", subject):
        raise InvalidInput("a subject is a name of 1 to 120 characters", where="subject")
    if not 0 < lifetime_s <= settings.API_TOKEN_MAX_LIFETIME_H * 3600:
        raise InvalidInput(
            f"a token lives for 1 second to {settings.API_TOKEN_MAX_LIFETIME_H} hours", where="lifetime"
        )
    _tenant(tenant)
    return issue_token(
        next(iter(platform_keys().values())),
        token_rules(),
        now,
        subject=subject,
        tenant=tenant,
        roles=roles,
        lifetime_s=lifetime_s,
        token_id=secrets.token_hex(16),
        subscriber_id=subscriber_id,
    )


def revoke_token(token: str, now: datetime, reason: str = "") -> RevokedToken:
    """Take a token back, given itself or as ``jti:…`` or ``sha256:…`` (as the audit record names it).

    Processes notice within API_CLIENTS_REFRESH_S seconds. Twice changes nothing.
    """
    longest = now + timedelta(hours=settings.API_TOKEN_MAX_LIFETIME_H)
    token_id, expires_at = token, longest
    if not token.startswith(("jti:", "sha256:")):
        claims = read_token(token, read_known(now).keys, token_rules(), now)
        token_id, expires_at = claims.token_id, claims.expires_at
    if len(token_id) > 128:
        # Longer than a row's name: the hash of the token would be needed.
        raise InvalidInput("a token's id is 128 characters at most", where="token")
    return RevokedToken.objects.get_or_create(
        token_id=token_id, defaults={"expires_at": expires_at, "revoked_at": now, "reason": reason[:200]}
    )[0]


def forget_expired_revocations(now: datetime) -> int:
    """Delete revocations of tokens that have expired by themselves; how many there were."""
    return RevokedToken.objects.filter(
        expires_at__lt=now - timedelta(seconds=settings.API_TOKEN_LEEWAY_S)
    ).delete()[0]


def _tenant(code: str) -> Tenant:
    tenant = Tenant.objects.filter(code=code).first()
    if tenant is None:
        raise NotFound(f"there is no tenant {code}", where="tenant", code="unknown_tenant")
    return tenant


def _client(name: str) -> ApiClient:
    client = ApiClient.objects.select_for_update().filter(name=name).first()
    if client is None:
        raise NotFound(f"there is no API client {name}", where="client")
    return client
