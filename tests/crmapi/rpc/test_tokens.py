"""Tokens: forged, altered, expired, too long-lived and stolen ones are refused, with the reason."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.crm.domain.access import ADMIN, CRM_AGENT, ROLES, Caller, demand, demand_own
from apps.crm.domain.errors import Forbidden, Unauthenticated
from apps.crm.domain.rate_limit import Bucket, take
from apps.crm.domain.tokens import SigningKey, TokenRules, issue_token, read_token

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
RULES = TokenRules("bss", "bss-api", leeway_s=30, max_lifetime_s=86_400, max_octets=2_000)
OWN = SigningKey("own", "o" * 40)
PARTNER = SigningKey("partner-1", "p" * 40, "partner", "mvno", frozenset({CRM_AGENT}))
LAST_INSTANT = datetime.max.replace(tzinfo=UTC, microsecond=0).timestamp()
KEYS = {"own": OWN, "partner-1": PARTNER}
CLAIMS = {
    "iss": "bss",
    "aud": "bss-api",
    "sub": "ada",
    "tenant": "default",
    "roles": ["admin"],
    "exp": NOW.timestamp() + 600,
    "jti": "t1",
}


def signed(
    key: SigningKey = OWN, *, algorithm: str = "HS256", kid: str | None = None, **changed: object
) -> str:
    claims = {name: value for name, value in {**CLAIMS, **changed}.items() if value is not None}
    headers = {"kid": key.kid if kid is None else kid}
    return jwt.encode(claims, key.secret, algorithm=algorithm, headers=headers)


def unsigned() -> str:
    def part(value: dict[str, object]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'none', 'kid': 'own', 'typ': 'JWT'})}.{part(CLAIMS)}."


def test_a_good_token_says_who_calls():
    claims = read_token(signed(), KEYS, RULES, NOW)
    assert (claims.subject, claims.client, claims.tenant, claims.roles) == (
        "ada",
        "platform",
        "default",
        frozenset({"admin"}),
    )
    assert (claims.token_id, claims.kid) == ("jti:t1", "own")
    partner = read_token(signed(PARTNER, tenant=None, roles=["crm_agent"]), KEYS, RULES, NOW)
    assert (partner.client, partner.tenant) == ("partner", "mvno")
    # A key alone needs no name, and a list of audiences may have others beside ours.
    alone = signed(kid=None, aud=["other", "bss-api"])
    assert read_token(alone, {"own": OWN}, RULES, NOW).subject == "ada"


@pytest.mark.parametrize(
    ("token", "code"),
    [
        ("", "malformed_token"),
        ("a.b", "malformed_token"),
        ("....", "malformed_token"),
        ("é" * 10, "token_too_large"),
        ("x" * 3_000, "token_too_large"),
        (unsigned(), "wrong_algorithm"),
        (signed(algorithm="HS512"), "wrong_algorithm"),
        (signed(kid="nobody"), "unknown_key"),
        (signed(replace(OWN, secret="z" * 40)), "bad_signature"),
        (signed(kid="partner-1"), "bad_signature"),
        (signed(exp=None), "no_expiry"),
        (signed(exp="soon"), "malformed_token"),
        (signed(exp=True), "malformed_token"),
        (signed(exp=1e300), "malformed_token"),
        (signed(exp=LAST_INSTANT), "lives_too_long"),
        (signed(nbf=LAST_INSTANT), "not_yet_valid"),
        (signed(exp=NOW.timestamp() - 31), "expired"),
        (signed(exp=NOW.timestamp() + 90_000), "lives_too_long"),
        (signed(iat=NOW.timestamp() + 60), "not_yet_valid"),
        (signed(nbf=NOW.timestamp() + 60), "not_yet_valid"),
        (signed(iss="else"), "wrong_issuer"),
        (signed(iss=None), "wrong_issuer"),
        (signed(aud="else"), "wrong_audience"),
        (signed(aud=None), "wrong_audience"),
        (signed(aud=["else"]), "wrong_audience"),
        (signed(sub=None), "malformed_token"),
        (signed(sub="a\nb"), "malformed_token"),
        (signed(sub="s" * 121), "malformed_token"),
        (signed(sub="\ud800"), "malformed_token"),
        (signed(jti="\udfff"), "malformed_token"),
        (signed(tenant="\ud800"), "malformed_token"),
        (signed(roles="admin"), "malformed_token"),
        (signed(roles=[1]), "malformed_token"),
        (signed(roles=["self_care"]), "no_subscriber"),
        (signed(subscriber="12"), "malformed_token"),
        (signed(subscriber=-1), "malformed_token"),
        (signed(PARTNER, tenant="default", roles=["crm_agent"]), "wrong_tenant"),
        (signed(PARTNER, tenant="mvno", roles=["admin"]), "role_not_granted"),
    ],
)
def test_a_token_that_breaks_a_rule_is_refused_by_its_name(token, code):
    with pytest.raises(Unauthenticated) as refused:
        read_token(token, KEYS, RULES, NOW)
    assert refused.value.code == code
    assert "o" * 40 not in str(refused.value)


def test_clocks_may_differ_by_the_leeway_and_no_more():
    token = signed(exp=NOW.timestamp(), nbf=NOW.timestamp())
    for seconds in (-30, 0, 29):
        read_token(token, KEYS, RULES, NOW + timedelta(seconds=seconds))
    for seconds in (-31, 30):
        with pytest.raises(Unauthenticated):
            read_token(token, KEYS, RULES, NOW + timedelta(seconds=seconds))


@given(st.data())
def test_no_altered_token_counts(data):
    token = signed()
    place = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.sampled_from("ABCxyz019-_.="))
    altered = token[:place] + letter + token[place + 1 :]
    if altered == token:
        return
    try:
        claims = read_token(altered, KEYS, RULES, NOW)
    except Unauthenticated:
        return
    # The last letter of a part has bits that mean nothing: the same octets in another spelling.
    assert claims == read_token(token, KEYS, RULES, NOW)
    assert place in {len(token) - 1, token.rfind(".") - 1, token.find(".") - 1}


@given(st.text(max_size=200) | st.text(alphabet="eyJ.-_aA0=", max_size=200))
def test_no_text_however_odd_is_more_than_refused(text):
    with pytest.raises(Unauthenticated):
        read_token(text, KEYS, RULES, NOW)


def test_what_is_issued_is_read_back():
    token = issue_token(
        OWN,
        RULES,
        NOW,
        subject="ann",
        tenant="t",
        roles=["self_care"],
        lifetime_s=60,
        token_id="x",
        subscriber_id=7,
    )
    claims = read_token(token, KEYS, RULES, NOW)
    assert (claims.subscriber_id, claims.roles, claims.token_id) == (7, frozenset({"self_care"}), "jti:x")


def caller(*roles: str, subscriber_id: int | None = None) -> Caller:
    return Caller(1, "default", "ada", "platform", frozenset(roles), NOW, subscriber_id=subscriber_id)


def test_an_administrator_may_everything_and_an_auditor_changes_nothing():
    from apps.crm.domain.access import PERMISSIONS

    for permission in PERMISSIONS:
        demand(caller(ADMIN), permission)
        if not permission.endswith((".read", ".list", ".enquire")):
            with pytest.raises(Forbidden):
                demand(caller("auditor"), permission)
    with pytest.raises(Forbidden):
        demand(caller(), "reference.read")
    assert set(ROLES) == {"crm_agent", "billing", "auditor", "self_care", "admin"}


def test_a_customer_with_staff_roles_still_sees_themselves_alone():
    both = caller("self_care", "admin", subscriber_id=7)
    demand_own(both, 7)
    with pytest.raises(Forbidden):
        demand_own(both, 8)


@given(st.lists(st.floats(0, 3), max_size=60), st.integers(1, 20), st.integers(1, 20))
def test_never_more_calls_than_the_rate_and_the_burst_allow(pauses, rate, burst):
    bucket: Bucket | None = None
    now, admitted = 100.0, []
    for pause in pauses:
        now += pause
        bucket, wait_s = take(bucket, now, rate, burst)
        if wait_s == 0:
            admitted.append(now)
        else:
            # A caller that waits as told may come.
            assert take(bucket, now + wait_s + 1e-6, rate, burst)[1] == 0
    for first, start in enumerate(admitted):
        for last in range(first, len(admitted)):
            assert last - first + 1 <= burst + rate * (admitted[last] - start) + 1e-6


def test_a_clock_that_goes_back_gives_nothing_away():
    bucket, _ = take(None, 100.0, 1.0, 1)
    bucket, wait_s = take(bucket, 50.0, 1.0, 1)
    assert wait_s > 0
