"""The OpenAPI document: valid, shown offline, and what the door does under fuzzing is what it says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import (
    content_type_conformance,
    negative_data_rejection,
    not_a_server_error,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.config import SchemathesisConfig
from schemathesis.errors import SchemathesisError
from schemathesis.generation import GenerationMode
from schemathesis.openapi import from_wsgi

from tests.crmapi.rest.operations_table import TABLE
from tests.crmapi.rest.world import Api, World, make_rest_world

# The second database needs no new proof that the descriptions are kept, only of what it stores and finds.
EXAMPLES = 5 if settings.DATABASES["default"]["ENGINE"].endswith("mysql") else 2
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
# Names in addresses that are ids of the world's own things about half of the time.
KNOWN = {
    "subscriber_id": "prepaid",
    "account_id": "account",
    "balance_id": "balance",
    "bill_id": "bill",
    "activity_id": "activity",
    "batch_id": "batch",
    "serial": "serial",
    "price_plan_id": "plan",
    "bundle_id": "bundle",
    "record_id": "suspense",
    "notification_id": "notification",
    "trigger_id": "trigger",
    "plan": "action_plan",
    "group": "shared_group",
    "kind": "limited",
}


def test_the_document_is_valid_and_nothing_in_it_was_guessed(tmp_path):
    call_command(
        "spectacular",
        validate=True,
        fail_on_warn=True,
        format="openapi-json",
        file=str(tmp_path / "openapi.json"),
    )
    assert (tmp_path / "openapi.json").stat().st_size > 50_000


@pytest.mark.parametrize("page", ["docs", "redoc"])
def test_the_pages_fetch_nothing_from_elsewhere(page, db):
    text = Api().get(page).content.decode()
    assert "/api/v1/openapi.json" in text
    assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//""", text)
    for address in re.findall(r"""(?:src|href)=["'](/static/[^"']+)""", text):
        assert Api().get(address).status_code == 200, address


@pytest.fixture
def world(db, settings) -> World:
    settings.API_CALLS_A_SECOND, settings.API_BURST = 100_000, 100_000
    settings.REST_SELF_CARE_CALLS_A_SECOND, settings.REST_SELF_CARE_BURST = 100_000, 100_000
    return make_rest_world()


@pytest.fixture
def one_transaction() -> Iterator[None]:
    """A request's end closes no connection, so that all of them see the test's own transaction."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def test_fuzzing_finds_no_error_of_ours_and_no_answer_that_is_not_documented(world, one_transaction):
    # Whose token it is, and none at all, is for other tests.
    config = SchemathesisConfig.from_dict({"generation": {"with-security-parameters": False}})
    schema = from_wsgi("/api/v1/openapi.json", get_wsgi_application(), config=config)
    staff, own = world.admin.token, world.customer.token
    found: list[str] = []
    sent: list[str] = []
    for result in schema.get_all_operations():
        operation = result.ok()
        token = own if operation.path.startswith("/api/v1/me") else staff
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            try:
                fuzzer(world, operation, mode, token, sent)()
            except (Unsatisfiable, SchemathesisError) as error:
                # Without parameters and body, no request of an operation breaks its description.
                if mode is GenerationMode.POSITIVE:
                    found.append(f"{operation.label}: {error}")
            except BaseExceptionGroup as failures:
                found.append(f"{operation.label} ({mode.value}): {_texts(failures)}")
            except AssertionError as failure:
                found.append(f"{operation.label} ({mode.value}): {failure}")
    assert not found, "\n\n".join(found)
    assert len(sent) > EXAMPLES * len(TABLE)


def fuzzer(world: World, operation: Any, mode: GenerationMode, token: str, sent: list[str]) -> Any:
    """Sends a few requests that keep to the operation's description, or break it, and checks the answers."""
    positive = mode is GenerationMode.POSITIVE
    checks = CHECKS if positive else [*CHECKS, negative_data_rejection]

    @hypothesis_settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode), st.booleans())
    def fuzz(case: Any, known: bool) -> None:
        sent.append(operation.label)
        for name, key in KNOWN.items():
            if known and positive and case.path_parameters and name in case.path_parameters:
                case.path_parameters[name] = world.names[key]
        case.call_and_validate(headers={"Authorization": f"Bearer {token}"}, checks=checks)

    return fuzz


def _texts(failures: BaseExceptionGroup) -> str:
    return "; ".join(str(failure)[:700] for failure in failures.exceptions)
