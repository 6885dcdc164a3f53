"""Who calls: tokens that count and those that do not, customers with their own, and rate limits."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO

import jwt
import pytest
from django.core.management import CommandError, call_command

from apps.charging.models import Balance
from apps.crm.models import ApiCall, ApiClient
from apps.crm.services.api_tokens import create_api_token
from apps.crm.services.authentication import forget_shared_authenticator
from apps.crm.services.clients import create_client, create_key
from apps.crmapi.rest.throttling import forget_rates
from apps.kernel.clock import utc_now
from apps.kernel.errors import InvalidInput, NotFound
from apps.kernel.money import format_micros
from tests.crmapi.rest.world import PDF, Api, World, make_rest_world

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    return make_rest_world()


def said(*arguments: str) -> str:
    out = StringIO()
    call_command("apitoken", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue().strip()


def test_a_client_signs_its_own_tokens_for_its_own_tenant(world, settings):
    create_client("crm2", "other", ["crm_agent"], world.now)
    kid, secret = create_key("crm2", world.now)
    forget_shared_authenticator()
    claims = {
        "iss": settings.API_ISSUER,
        "aud": settings.API_AUDIENCE,
        "sub": "grace",
        "tenant": "other",
        "roles": ["crm_agent"],
        "exp": int((utc_now() + timedelta(minutes=5)).timestamp()),
    }

    def code(**changed):
        token = jwt.encode({**claims, **changed}, secret, algorithm="HS256", headers={"kid": kid})
        answer = Api(token).get("subscribers")
        return answer.json().get("code", answer.status_code)

    assert code() == 200
    assert code(tenant="default") == "wrong_tenant"
    assert code(roles=["admin"]) == "role_not_granted"
    assert code(exp=1) == "expired"
    assert code(aud="another") == "wrong_audience"
    unsigned = jwt.encode(claims, None, algorithm="none", headers={"kid": kid})
    assert Api(unsigned).get("subscribers").json()["code"] == "wrong_algorithm"
    ids = Api(jwt.encode(claims, secret, headers={"kid": kid})).get("subscribers").json()["items"]
    assert {item["id"] for item in ids} == {world.foreign["prepaid"], world.foreign["postpaid"]}


def test_an_opaque_token_has_its_roles_until_it_ends(world):
    made = create_api_token(
        "default", "shop", ["auditor"], now=world.now, lifetime=timedelta(hours=1), by="test"
    )
    shop = Api(made.token)
    assert shop.get("subscribers").status_code == 200
    assert shop.post(f"subscribers/{world.names['prepaid']}/suspend").status_code == 403
    short = create_api_token(
        "default", "late", ["admin"], now=world.now - timedelta(hours=2), lifetime=timedelta(hours=1)
    )
    assert Api(short.token).get("subscribers").json()["code"] == "expired"
    assert Api(made.token[:-1] + "x").get("subscribers").json()["code"] == "unknown_token"


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"roles": ["king"]}, InvalidInput),
        ({"roles": []}, InvalidInput),
        ({"roles": ["self_care"]}, InvalidInput),
        ({"subscriber_id": 1}, InvalidInput),
        ({"roles": ["self_care"], "subscriber_id": 10**9}, NotFound),
        ({"lifetime": timedelta(days=400)}, InvalidInput),
        ({"lifetime": timedelta(0)}, InvalidInput),
        ({"name": ""}, InvalidInput),
        ({"tenant": "nowhere"}, NotFound),
    ],
)
def test_no_token_is_made_of_what_makes_no_sense(changed, error, world):
    values = {
        "tenant": "default",
        "name": "shop",
        "roles": ["auditor"],
        "lifetime": timedelta(days=1),
        **changed,
    }
    tenant, name, roles = values.pop("tenant"), values.pop("name"), values.pop("roles")
    with pytest.raises(error):
        create_api_token(tenant, name, roles, now=world.now, **values)


def test_the_command_makes_lists_and_takes_back_tokens(world):
    token = said("create", "shop", "--role", "auditor")
    assert Api(token).get("accounts").status_code == 200
    own = said("create", "Ada", "--msisdn", world.names["msisdn"])
    assert Api(own).get("me").json()["msisdn"] == world.names["msisdn"]
    assert "shop" in said("list")
    assert token not in said("list")
    said("revoke", token)
    assert Api(token).get("accounts").json()["code"] == "revoked"
    for wrong in (("revoke", token), ("create", "x"), ("create", "x", "--msisdn", "4999999")):
        with pytest.raises(CommandError):
            said(*wrong)


def test_a_customer_sees_their_own_and_nothing_else(world):
    customer, names = world.customer, world.names
    assert customer.get("me").json()["id"] == names["prepaid"]
    balance = customer.get("me/balances").json()[0]
    # Other tests of this world credit it, too.
    stored = Balance.objects.get(pk=names["balance"]).amount_micros
    assert stored % 1_000_000 == 750_000
    assert (balance["amount"], balance["amount_micros"]) == (format_micros(stored), stored)
    allowances = customer.get("me/allowances").json()
    assert {free["unit"] for free in allowances["free_units"]} >= {"seconds", "octets"}
    assert {record["subscriber_id"] for record in customer.get("me/usage").json()["items"]} == {
        names["prepaid"]
    }
    assert [bill["id"] for bill in customer.get("me/bills").json()["items"]] == [names["bill"]]
    pdf = customer.get(f"me/bills/{names['bill']}/pdf", accept="application/pdf")
    assert b"".join(pdf.streaming_content) == PDF
    assert pdf.headers["Content-Type"] == "application/pdf"
    # A bill of another customer of the tenant, and every address that is for staff.
    assert customer.get(f"me/bills/{names['postpaid_bill']}").status_code == 404
    assert customer.get(f"me/bills/{names['postpaid_bill']}/pdf").status_code == 404
    for path in (
        "subscribers",
        f"subscribers/{names['prepaid']}",
        f"subscribers/{names['postpaid']}",
        "bills",
    ):
        assert customer.get(path).status_code == 403
    other = world.api("self_care", subscriber_id=world.foreign["prepaid"])
    assert other.get("me").status_code == 404


def test_a_customer_redeems_a_voucher_and_asks_for_a_price(world):
    customer = world.customer
    before = Balance.objects.get(pk=world.names["balance"]).amount_micros
    redeemed = customer.post("me/vouchers/redeem", {"pin": world.names["own_pin"]}, "mine")
    assert (redeemed.json()["amount"], redeemed.json()["account_id"]) == ("5", world.names["account"])
    assert customer.get("me/balances").json()[0]["amount_micros"] == before + 5_000_000
    price = customer.post("me/rate", {"service": "sms", "usage": 2}).json()
    assert (price["cost"], price["subject"]) == ("0.18", "*plan:PREPAID_SMART")
    assert "cost 0.18" in price["explanation"]
    assert (
        customer.post("me/rate", {"service": "sms", "usage": 2, "price_plan": "BUSINESS"}).status_code == 400
    )


def test_a_client_that_calls_too_often_waits_and_others_do_not(world):
    create_client("crm3", "default", ["auditor"], world.now)
    ApiClient.objects.filter(name="crm3").update(calls_a_second=1, burst=2)
    kid, secret = create_key("crm3", world.now)
    forget_shared_authenticator()
    claims = {
        **jwt.decode(world.api("auditor").token, options={"verify_signature": False}),
        "jti": "one",
    }
    eager = Api(jwt.encode(claims, secret, headers={"kid": kid}))
    answers = [eager.get("services") for _ in range(5)]
    assert [answer.status_code for answer in answers[:2]] == [200, 200]
    assert answers[-1].status_code == 429
    assert answers[-1].json()["code"] == "too_many_requests"
    assert int(answers[-1].headers["Retry-After"]) >= 1
    # What the roles do not allow counts, and is refused sooner than written down.
    assert eager.post(f"subscribers/{world.names['prepaid']}/suspend").status_code == 429
    assert not ApiCall.objects.exists()
    assert world.admin.get("services").status_code == 200


def test_a_customer_and_an_address_that_guesses_have_limits_of_their_own(world, settings):
    settings.REST_SELF_CARE_BURST, settings.REST_REFUSALS_A_MINUTE = 3, 4
    forget_rates()
    customer, other = world.customer, world.api("self_care", subscriber_id=world.names["postpaid"])
    other = Api(said("create", "Grace", "--msisdn", "4915550000002"))
    statuses = [customer.get("me").status_code for _ in range(6)]
    assert statuses[:3] == [200, 200, 200]
    assert 429 in statuses
    assert other.get("me").status_code == 200
    guesses = [Api(f"bss_{number:043d}").get("me").status_code for number in range(6)]
    assert guesses[:4] == [401] * 4
    assert guesses[-1] == 429
    # Callers with a valid token do not wait because of the guesses.
    assert other.get("me").status_code == 200


def test_no_token_is_ever_in_an_answer_to_it(world):
    text = json.dumps(Api("eyJhbGciOiJIUzI1NiJ9.e30.c2VjcmV0").get("me").json())
    assert "eyJ" not in text
