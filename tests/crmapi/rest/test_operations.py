"""Every operation: it works, it is documented, it checks permissions, and it reports errors."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from apps.crmapi.rest.problems import MEDIA_TYPE
from tests.crmapi.rest.operations_table import ROLES, TABLE, Ask, filled
from tests.crmapi.rest.world import PREFIX, Api, World, make_rest_world

pytestmark = pytest.mark.django_db
NOBODY = 999_999_999_999


@pytest.fixture
def world() -> World:
    return make_rest_world()


@cache
def document() -> dict[str, Any]:
    return Api().get("openapi.json").json()


def operation_of(ask: Ask) -> dict[str, Any]:
    """The operation that the table's line is about, as the document describes it."""
    return described(ask.method, PREFIX + ask.path.partition("?")[0])


@cache
def described(method: str, path: str) -> dict[str, Any]:
    for template, methods in document()["paths"].items():
        pattern = re.sub(r"\\{\w+\\}", r"\\{\\w+\\}", re.escape(template))
        if re.fullmatch(pattern, path) and method.lower() in methods:
            return methods[method.lower()]
    raise AssertionError(f"{method} {path} is not in the OpenAPI document")


def wrong_in(ask: Ask, response: Any) -> str:
    """What about an answer the document does not allow; empty if it does."""
    answer = operation_of(ask)["responses"].get(str(response.status_code))
    if answer is None:
        return f"status {response.status_code} is not documented: {response.content[:300]!r}"
    media = response.headers["Content-Type"].partition(";")[0]
    if media not in answer["content"]:
        return f"media type {media} is not documented for {response.status_code}"
    if response.streaming:
        return ""
    schema = json.dumps(answer["content"][media]["schema"])
    errors = [f"{e.json_path}: {e.message}" for e in validator(schema).iter_errors(response.json())]
    return "; ".join(errors[:3])


@cache
def validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator({**json.loads(schema), "components": document()["components"]})


def api_for(world: World, letter: str) -> Api:
    role = ROLES[letter]
    own = world.names["prepaid"] if role == "self_care" else None
    return world.api(role, subscriber_id=own)


def sent(api: Api, ask: Ask, names: dict[str, Any], body: Any = None) -> Any:
    key = "key-" + ask.path if ask.key else ""
    return api.ask(
        ask.method, filled(ask.path, names), filled(ask.body if body is None else body, names), key
    )


def test_every_operation_is_in_the_table():
    listed = {operation_of(ask)["operationId"] for ask in TABLE}
    documented = {
        found["operationId"] for methods in document()["paths"].values() for found in methods.values()
    }
    assert documented == listed


def test_every_operation_succeeds_for_an_allowed_role_and_answers_as_documented(world):
    found = []
    for ask in TABLE:
        api = api_for(world, ask.roles[0]) if ask.roles else world.admin
        response = sent(api, ask, world.names)
        wrong = wrong_in(ask, response)
        if response.status_code != ask.status or wrong:
            found.append(
                f"{ask.method} {ask.path}: {response.status_code} {wrong} {response.content[:200]!r}"
            )
    assert not found, "\n".join(found)


def test_each_role_may_call_just_what_it_may(world):
    found = []
    apis = {letter: api_for(world, letter) for letter in ROLES}
    admin = world.admin
    nobody = dict.fromkeys(world.names, NOBODY)
    for ask in TABLE:
        allowed = {letter for letter in ROLES if letter in ask.roles}
        for letter, api in apis.items():
            # Ids of nothing: whether the door opens is what counts, and nothing is changed behind it.
            response = sent(api, ask, nobody, body={} if ask.body is not None else None)
            if (response.status_code != 403) != (letter in allowed):
                found.append(f"{ROLES[letter]}: {ask.method} {ask.path} {response.status_code}")
        refused = sent(admin, ask, nobody, body={} if ask.body is not None else None).status_code == 403
        if refused != ask.path.startswith("me"):
            found.append(f"admin: {ask.method} {ask.path}")
    assert not found, "\n".join(found)


def test_a_call_without_a_valid_token_is_refused(world, settings):
    settings.REST_REFUSALS_A_MINUTE = 10_000
    found = []
    for ask in TABLE:
        for token in ("", "nonsense", "bss_" + "x" * 43):
            response = sent(Api(token), ask, world.names)
            fine = response.status_code == 401 and response.headers["Content-Type"] == MEDIA_TYPE
            if not fine or "WWW-Authenticate" not in response.headers or wrong_in(ask, response):
                found.append(f"{ask.method} {ask.path} with {token!r}: {response.status_code}")
    assert not found, "\n".join(found)


# Operations that name nothing of a tenant's own in their request, so that there is nothing to be missing.
NAMELESS = {"subscribers", "voucher-batches", "me/vouchers/redeem", "me/rate"}


@pytest.mark.parametrize("whose", ["nobody's", "another tenant's"])
def test_what_is_not_there_or_another_tenants_is_not_found(world, whose):
    names = {
        **dict.fromkeys(world.names, NOBODY),
        "plan_code": "NONE",
        "cycle": 9_999,
        "pin": world.names["pin"],
    }
    if whose == "another tenant's":
        names = {**names, **world.foreign, "pin": world.names["pin"]}
    found = []
    for ask in TABLE:
        if "{" not in ask.path and (ask.body is None or ask.path in NAMELESS):
            continue
        api = world.customer if ask.path.startswith("me") else world.admin
        response = sent(api, ask, names)
        if response.status_code != 404 or wrong_in(ask, response):
            found.append(f"{ask.method} {ask.path}: {response.status_code} {response.content[:200]!r}")
    assert not found, "\n".join(found)


def test_lists_show_nothing_of_another_tenant(world):
    numbers = {world.foreign["msisdn"], "O1", "theirs", "Theirs", world.foreign["serial"], "OTHER", "OTHERS"}
    for ask in TABLE:
        if ask.method == "GET" and "{" not in ask.path:
            api = world.customer if ask.path.startswith("me") else world.admin
            text = api.get(ask.path).content.decode()
            assert not [number for number in numbers if f'"{number}"' in text], ask.path


def test_a_wrong_body_is_refused_with_its_fields(world):
    found = []
    for ask in TABLE:
        if ask.body is None:
            continue
        api = world.customer if ask.path.startswith("me") else world.admin
        path = filled(ask.path, world.names)
        for body, field in (
            ({**filled(ask.body, world.names), "misspelt": 1}, "misspelt"),
            ([1, 2], ""),
            ({name: {"wrong": "type"} for name in ask.body}, next(iter(ask.body), "") or "misspelt"),
        ):
            if body == {} or (field == "misspelt" and "misspelt" not in body):
                continue
            response = api.ask(ask.method, path, body, "k" if ask.key else "")
            fields = {error["field"].partition(".")[0] for error in response.json().get("errors", [])}
            if response.status_code != 400 or field not in fields or wrong_in(ask, response):
                found.append(f"{ask.path} {body}: {response.status_code} {response.content[:200]!r}")
        odd = api.ask(ask.method, path, b'{"\\ud800": 1}', "k" if ask.key else "")
        if odd.status_code != 400 or "\\ud800" not in {error["field"] for error in odd.json()["errors"]}:
            found.append(f"{ask.path} with a field that is no text: {odd.status_code}")
        deep = b"[" * 100_000
        for raw in (b"{", b'{"a": NaN}', b"\xff\xfe", b'{"a": ' + b"1" * 5_000 + b"}", deep):
            response = api.ask(ask.method, path, raw, "k" if ask.key else "")
            if response.status_code != 400 or response.json()["code"] != "malformed_request":
                found.append(f"{ask.path} {raw!r}: {response.status_code}")
    assert not found, "\n".join(found)


def test_wrong_parameters_are_refused_by_name(world):
    found = []
    for ask in TABLE:
        found_there = operation_of(ask)
        if not [p for p in found_there.get("parameters", []) if p["in"] == "query"]:
            continue
        api = world.customer if ask.path.startswith("me") else world.admin
        path = filled(ask.path, world.names)
        glue = "&" if "?" in path else "?"
        response = api.get(f"{path}{glue}misspelt=1")
        if response.status_code != 400 or response.json()["errors"][0]["field"] != "misspelt":
            found.append(f"{path}: {response.status_code}")
        if any(p["name"] == "cursor" for p in found_there["parameters"]):
            for wrong in ("cursor=abc", "cursor=%00", "limit=0", "limit=201", "limit=x"):
                response = api.get(f"{path}{glue}{wrong}")
                if response.status_code != 400:
                    found.append(f"{path} {wrong}: {response.status_code}")
    assert not found, "\n".join(found)


def test_methods_media_types_and_addresses_that_there_are_not(world):
    admin = world.admin
    assert admin.ask("PUT", "subscribers").status_code == 405
    assert "GET" in admin.ask("PUT", "subscribers").headers["Allow"]
    assert admin.get("subscribers", accept="text/html").status_code == 406
    refused = admin.client.post(PREFIX + "rate", {"a": 1}, HTTP_AUTHORIZATION=f"Bearer {admin.token}")
    assert refused.status_code == 415
    large = admin.post("rate", b" " * 1_000_001)
    assert (large.status_code, large.json()["code"]) == (413, "request_too_large")
    missing = admin.get("nothing/here")
    assert missing.status_code == 404
    assert missing.headers["Content-Type"] == MEDIA_TYPE
    for response in (refused, missing):
        assert response.json()["type"] == "urn:bss:problem:" + response.json()["code"]
