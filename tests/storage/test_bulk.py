"""Many rows at once: each arrives as it was sent, or none do."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from apps.rating.models import Tenant
from apps.storage.bulk import insert_in_batches, insert_rows
from apps.subscribers.models import Resource
from tests.factories import make_tenant

COLUMNS = ("tenant_id", "kind", "value", "status")
pytestmark = pytest.mark.django_db


def rows(tenant_id: int, count: int) -> list[tuple[object, ...]]:
    return [(tenant_id, "msisdn", str(4915550000000 + number), "free") for number in range(count)]


def test_every_row_arrives():
    assert insert_rows("subscribers_resource", COLUMNS, rows(make_tenant().pk, 5_000)) == 5_000
    assert Resource.objects.filter(kind="msisdn", status="free").count() == 5_000


def test_no_rows_are_no_work():
    assert insert_rows("subscribers_resource", COLUMNS, []) == 0


def test_a_row_that_exists_already_is_an_error_and_not_skipped_in_silence():
    some = rows(make_tenant().pk, 3)
    insert_rows("subscribers_resource", COLUMNS, some[:1])
    with pytest.raises(IntegrityError), transaction.atomic():
        insert_rows("subscribers_resource", COLUMNS, some)
    assert Resource.objects.count() == 1


def test_rows_of_any_number_go_in_batch_by_batch_and_all_or_none():
    some = rows(make_tenant().pk, 2_500)
    with pytest.raises(IntegrityError):
        insert_in_batches("subscribers_resource", COLUMNS, iter([*some, some[0]]), batch=1_000)
    assert Resource.objects.count() == 0
    assert insert_in_batches("subscribers_resource", COLUMNS, iter(some), batch=1_000) == 2_500


class AnyText(TestCase):
    @settings(max_examples=60)
    @given(
        st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1, max_size=60),
        st.text(st.sampled_from("\t\n\r\\\"'%N,"), max_size=20),
    )
    def test_any_text_comes_back_as_it_was(self, name: str, awkward: str):
        columns = ["code", "name", "time_zone", "currency", "locale", "legal_name", "address", "tax_number"]
        columns += ["payment_details", "contact"]
        insert_rows("rating_tenant", columns, [("x", name, "UTC", "EUR", "en", awkward, "", "", "", "")])
        tenant = Tenant.objects.get(code="x")
        assert (tenant.name, tenant.legal_name) == (name, awkward)
