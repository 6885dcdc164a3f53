"""The OpenAPI document: valid, shown offline, and what the door does under fuzzing is what it says."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from hypothesis import HealthCheck, Phase, given, settings
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
from schemathesis.errors import SchemathesisError
from schemathesis.generation import GenerationMode
from schemathesis.openapi import from_wsgi

from tests.crmapi.rest.world import Api, World, make_rest_world

EXAMPLES = 5
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


def test_fuzzing_finds_no_error_of_ours_and_no_answer_that_is_not_documented(world):
    schema = from_wsgi("/api/v1/openapi.json", get_wsgi_application())
    staff, own = (f"Bearer {api.token}" for api in (world.admin, world.customer))
    found: list[str] = []
    count = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        token = own if operation.path.startswith("/api/v1/me") else staff
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            checks = CHECKS if mode is GenerationMode.POSITIVE else [*CHECKS, negative_data_rejection]

            @settings(
                max_examples=EXAMPLES,
                derandomize=True,
                database=None,
                deadline=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(operation.as_strategy(generation_mode=mode), st.booleans())
            def fuzz(case: Any, known: bool, token=token, checks=checks) -> None:
                nonlocal count
                count += 1
                for name, key in KNOWN.items():
                    if known and case.path_parameters and name in case.path_parameters:
                        case.path_parameters[name] = world.names[key]
                case.call_and_validate(headers={"Authorization": token}, checks=checks)

            try:
                fuzz()
            except (Unsatisfiable, SchemathesisError) as error:
                # There is no request of an operation without parameters and body that breaks its description.
                if mode is GenerationMode.POSITIVE:
                    found.append(f"{operation.label}: {error}")
            except BaseExceptionGroup as failures:
                found.append(f"{operation.label} ({mode.value}): {_texts(failures)}")
            except AssertionError as failure:
                found.append(f"{operation.label} ({mode.value}): {failure}")
    assert not found, "\n\n".join(found)
    assert count > EXAMPLES * 60


def _texts(failures: BaseExceptionGroup) -> str:
    return "; ".join(str(failure)[:700] for failure in failures.exceptions)
