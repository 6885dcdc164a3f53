"""Postpaid customers as rows, for benchmarks that need many: a line and an account each, all with the same id."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta


def insert_customers(count: int, tenant_id: int, start: datetime, plan_of: Callable[[int], int]) -> None:
    """Customers 1 to ``count`` who pay for themselves on the price plan ``plan_of(id)`` since long before ``start``.

    To be called within a transaction.
    """
    from apps.charging.models import Account, Payer
    from apps.storage.bulk import database_instant, insert_in_batches
    from apps.subscribers.models import Customer, PlanAssignment, Subscriber

    opened = database_instant(start - timedelta(days=400))
    ids = range(1, count + 1)
    insert_in_batches(
        Customer._meta.db_table,
        ("id", "tenant_id", "number", "kind", "name", "street", "postcode", "city", "country", "email", "phone",
         "tax_number", "locale", "created_at"),
        ((pk, tenant_id, f"C{pk}", "person", "A", "", "", "", "", "", "", "", "", opened) for pk in ids),
    )  # fmt: skip
    insert_in_batches(
        Subscriber._meta.db_table,
        ("id", "tenant_id", "customer_id", "number", "name", "status", "activated_at"),
        ((pk, tenant_id, pk, f"S{pk}", "", "active", opened) for pk in ids),
    )
    insert_in_batches(
        Account._meta.db_table,
        ("id", "tenant_id", "customer_id", "number", "mode", "currency", "allow_negative", "opened_at"),
        ((pk, tenant_id, pk, f"A{pk}", "postpaid", "EUR", 0, opened) for pk in ids),
    )
    insert_in_batches(Payer._meta.db_table, ("subscriber_id", "account_id"), ((pk, pk) for pk in ids))
    insert_in_batches(
        PlanAssignment._meta.db_table,
        ("subscriber_id", "price_plan_id", "start"),
        ((pk, plan_of(pk), opened) for pk in ids),
    )
