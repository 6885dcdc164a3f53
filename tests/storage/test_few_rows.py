"""Reads and writes of a few hundred rows past the ORM."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import connection, connections, transaction

from apps.mediation.models import RatedDestination
from apps.rating.models import Tenant
from apps.storage.reads import instant_read, select_in
from apps.storage.upserts import update_few, update_rows
from apps.subscribers.models import Customer

pytestmark = pytest.mark.django_db


def test_rows_of_any_number_of_values_are_found(monkeypatch):
    from apps.storage import reads

    monkeypatch.setattr(reads, "VALUES_A_QUERY", 2)
    RatedDestination.objects.bulk_create(RatedDestination(tag=tag) for tag in ("a", "b'\\", "c", "d", "e"))
    sql = "SELECT tag FROM mediation_rateddestination WHERE tag IN ({values})"
    assert select_in(sql, {"e", "a", "b'\\", "nobody", "d"}) == [("a",), ("b'\\",), ("d",), ("e",)]
    assert select_in(sql, ()) == []


@pytest.mark.parametrize("microsecond", [0, 250_000])
def test_an_instant_comes_back_as_it_was_stored(microsecond: int):
    at = datetime(2026, 3, 29, 0, 59, 59, microsecond, tzinfo=UTC)
    tenant = Tenant.objects.create(code="t", name="T")
    customer = Customer.objects.create(tenant=tenant, number="1", name="N", created_at=at)
    sql = "SELECT CAST(created_at AS CHAR) FROM subscribers_customer WHERE id IN ({values})"
    ((text,),) = select_in(sql, [customer.pk])
    assert instant_read(text) == at


def test_a_column_of_many_rows_is_set_and_others_are_left():
    tenants = [Tenant.objects.create(code=f"t{number}", name="T") for number in range(5)]
    customers = [
        Customer.objects.create(
            tenant=tenants[0], number=str(number), name="N", created_at=datetime(2026, 1, 1, tzinfo=UTC)
        )
        for number in range(5)
    ]
    changes = [(customer.pk, tenant.pk) for customer, tenant in zip(customers[:3], tenants[2:], strict=True)]
    with transaction.atomic():
        update_few(connections["default"], "subscribers_customer", ("tenant_id",), changes)
        update_few(connections["default"], "subscribers_customer", ("tenant_id",), [])
    assert connection.is_usable()
    found = Customer.objects.order_by("number").values_list("tenant__code", flat=True)
    assert list(found) == ["t2", "t3", "t4", "t0", "t0"]


def test_columns_of_many_rows_are_set_where_the_condition_holds():
    tenant = Tenant.objects.create(code="t", name="T")
    at = datetime(2026, 1, 1, tzinfo=UTC)
    customers = [
        Customer.objects.create(tenant=tenant, number=str(number), name="N", kind=kind, created_at=at)
        for number, kind in enumerate(("person", "person", "company", "person"))
    ]
    odd = "it's \\ %s {values} “ü” ),("
    rows = [(customer.pk, odd, f"city {number}") for number, customer in enumerate(customers[:3])]
    database = connections["default"]
    with transaction.atomic():
        found = update_rows(
            database,
            "subscribers_customer",
            ("name", "city"),
            [*rows, (0, "x", "x")],
            where="kind = 'person'",
        )
        assert update_rows(database, "subscribers_customer", ("name",), [], where="kind = 'person'") == 0
        # Rows that have the values already are found, too.
        again = update_rows(
            database, "subscribers_customer", ("name",), [rows[0][:2]], where="kind = 'person'"
        )
    assert (found, again) == (2, 1)
    stored = Customer.objects.order_by("number").values_list("name", "city")
    assert list(stored) == [(odd, "city 0"), (odd, "city 1"), ("N", ""), ("N", "")]
