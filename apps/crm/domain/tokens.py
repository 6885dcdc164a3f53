"""Bearer tokens: JSON Web Tokens (RFC 7519) signed with HMAC-SHA256, read strictly; times are passed in."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import jwt

from apps.crm.domain.access import PLATFORM_CLIENT, ROLES, SELF_CARE
from apps.crm.domain.errors import Unauthenticated

ALGORITHM = "HS256"
MOST_ROLES = 20
# No lone surrogates either, which JSON can name and neither a database nor an answer can hold.
_NAME = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,120}")
_JWS = jwt.PyJWS(algorithms=[ALGORITHM])


@dataclass(frozen=True, slots=True)
class TokenRules:
    """What a token must say, and how large and how long-lived it may be."""

    issuer: str
    audience: str
    leeway_s: int = 30
    max_lifetime_s: int = 31 * 24 * 3600
    max_octets: int = 4096


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key by its ``kid``. ``client`` is whose it is; the platform's own may speak for any tenant and role.

    A client's key is bound to the client's ``tenant`` and ``roles``: its holder can forge no more than that.
    """

    kid: str
    secret: str
    client: str = PLATFORM_CLIENT
    tenant: str = ""
    roles: frozenset[str] = frozenset(ROLES)


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says, after its signature and every rule were checked."""

    subject: str
    client: str
    tenant: str
    roles: frozenset[str]
    expires_at: datetime
    issued_at: datetime | None
    token_id: str
    kid: str
    subscriber_id: int | None = None


def token_id_of(token: str, jti: str = "") -> str:
    """How a token is named in revocations and the audit record: its ``jti``, else a hash of it."""
    return f"jti:{jti}" if jti else f"sha256:{sha256(token.encode()).hexdigest()}"


def read_token(token: str, keys: Mapping[str, SigningKey], rules: TokenRules, now: datetime) -> Claims:
    """What the token says; raises Unauthenticated with the rule that it breaks.

    Without a ``kid`` in its header every key would have to be tried, so one is needed unless there is one key only.
    """
    if not token.isascii() or len(token) > rules.max_octets:
        raise _refused("token_too_large", f"the token is longer than {rules.max_octets} octets, or not ASCII")
    key = _key_of(token, keys)
    try:
        payload = _JWS.decode_complete(token, key.secret, algorithms=[ALGORITHM])["payload"]
        said = json.loads(payload)
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise _refused("bad_signature", "the token's signature is not that of its key") from None
    if not isinstance(said, dict):
        raise _refused("malformed_token", "the token's claims are not a JSON object")
    return _checked(token, said, key, rules, now)


def issue_token(
    key: SigningKey,
    rules: TokenRules,
    now: datetime,
    *,
    subject: str,
    tenant: str,
    roles: list[str],
    lifetime_s: int,
    token_id: str,
    subscriber_id: int | None = None,
) -> str:
    """A token for ``subject``; the same claims that a client with a key of its own puts into its tokens."""
    claims: dict[str, Any] = {
        "iss": rules.issuer,
        "aud": rules.audience,
        "sub": subject,
        "tenant": tenant,
        "roles": sorted(roles),
        "iat": int(now.timestamp()),
        "exp": int(now.timestamp()) + lifetime_s,
        "jti": token_id,
    }
    if subscriber_id is not None:
        claims["subscriber"] = subscriber_id
    return jwt.encode(claims, key.secret, algorithm=ALGORITHM, headers={"kid": key.kid})


def _key_of(token: str, keys: Mapping[str, SigningKey]) -> SigningKey:
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise _refused("malformed_token", "the token is not three base64url parts of a JWT") from None
    if header.get("alg") != ALGORITHM:
        raise _refused(
            "wrong_algorithm", f"the token is signed with {str(header.get('alg'))[:20]!r}, not {ALGORITHM}"
        )
    kid = header.get("kid")
    if kid is None and len(keys) == 1:
        return next(iter(keys.values()))
    found = keys.get(kid) if isinstance(kid, str) else None
    if found is None:
        raise _refused("unknown_key", "the token's kid names no key that is in use")
    return found


def _checked(token: str, said: dict[str, Any], key: SigningKey, rules: TokenRules, now: datetime) -> Claims:
    leeway = timedelta(seconds=rules.leeway_s)
    expires = _instant(said, "exp")
    if expires is None:
        raise _refused("no_expiry", "the token has no expiry (claim exp)")
    # Added to now, which is far from the calendar's end, as a claim may not be.
    if expires <= now - leeway:
        raise _refused("expired", f"the token expired at {expires:%Y-%m-%d %H:%M:%S} UTC")
    if expires - now > timedelta(seconds=rules.max_lifetime_s) + leeway:
        raise _refused(
            "lives_too_long", f"the token expires more than {rules.max_lifetime_s // 3600} hours from now"
        )
    issued, begins = _instant(said, "iat"), _instant(said, "nbf")
    for instant, claim in ((issued, "iat"), (begins, "nbf")):
        if instant is not None and instant > now + leeway:
            raise _refused("not_yet_valid", f"the token is not valid yet (claim {claim})")
    if said.get("iss") != rules.issuer:
        raise _refused("wrong_issuer", f"the token's issuer (claim iss) is not {rules.issuer}")
    audience = said.get("aud")
    if rules.audience not in (audience if isinstance(audience, list) else [audience]):
        raise _refused("wrong_audience", f"the token is not for {rules.audience} (claim aud)")
    jti = _text(said, "jti", "")
    return Claims(
        subject=_text(said, "sub"),
        client=key.client,
        tenant=_tenant(said, key),
        roles=_roles(said, key),
        expires_at=expires,
        issued_at=issued,
        token_id=token_id_of(token, jti),
        kid=key.kid,
        subscriber_id=_subscriber(said),
    )


def _instant(said: dict[str, Any], claim: str) -> datetime | None:
    value = said.get(claim)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _refused("malformed_token", f"claim {claim} is not a number of seconds")
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        raise _refused("malformed_token", f"claim {claim} is not an instant of this calendar") from None


def _text(said: dict[str, Any], claim: str, default: str | None = None) -> str:
    value = said.get(claim, default)
    if value == default and default is not None:
        return default
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise _refused("malformed_token", f"claim {claim} must be a text of 1 to 120 characters")
    return value


def _tenant(said: dict[str, Any], key: SigningKey) -> str:
    tenant = _text(said, "tenant", key.tenant or "default")
    if key.tenant and tenant != key.tenant:
        raise _refused("wrong_tenant", f"the client {key.client} may not speak for the tenant {tenant}")
    return tenant


def _roles(said: dict[str, Any], key: SigningKey) -> frozenset[str]:
    roles = said.get("roles", [])
    if not isinstance(roles, list) or len(roles) > MOST_ROLES or not all(isinstance(r, str) for r in roles):
        raise _refused("malformed_token", "claim roles must be a list of role names")
    # Roles of other programs may stand beside ours; they mean nothing here.
    known = frozenset(roles) & frozenset(ROLES)
    if not known <= key.roles:
        raise _refused(
            "role_not_granted",
            f"the client {key.client} may not give the role {', '.join(sorted(known - key.roles))}",
        )
    if SELF_CARE in known and said.get("subscriber") is None:
        raise _refused("no_subscriber", "a token with the role self_care needs the claim subscriber")
    return known


def _subscriber(said: dict[str, Any]) -> int | None:
    value = said.get("subscriber")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**63:
        raise _refused("malformed_token", "claim subscriber must be a subscriber's id")
    return value


def _refused(code: str, message: str) -> Unauthenticated:
    return Unauthenticated(message, code=code)
