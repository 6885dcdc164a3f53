"""Reads and writes of a few hundred rows past the ORM."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import connection, connections, transaction

from apps.mediation.models import RatedDestination
from apps.rating.models import Tenant
from apps.storage.reads import instant_read, select_in
from apps.storage.upserts import update_few
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
        update_few(connections["default"], "subscribers_customer", "tenant_id", changes)
        update_few(connections["default"], "subscribers_customer", "tenant_id", [])
    assert connection.is_usable()
    found = Customer.objects.order_by("number").values_list("tenant__code", flat=True)
    assert list(found) == ["t2", "t3", "t4", "t0", "t0"]
