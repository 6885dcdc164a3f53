"""Prepaid subscribers by the hundred thousand, written as rows: the benchmark measures reads."""

from __future__ import annotations

from datetime import UTC, datetime

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def msisdn(number: int) -> str:
    return str(4915550000000 + number)


def make_subscribers(count: int) -> None:
    """Subscribers 1 to ``count``, a customer, an account, a balance, numbers, a plan and a cycle each."""
    from django.db import transaction

    from apps.billing.models import BillCycle, BillingAccount
    from apps.charging.models import Account, Balance, Payer
    from apps.rating.models import PricePlan, PricePlanService, Tenant
    from apps.rating.services.publishing import publish
    from apps.rating.services.standard_services import ensure_standard_services
    from apps.storage.bulk import database_instant, insert_in_batches
    from apps.subscribers.models import Customer, PlanAssignment, Resource, ResourceAssignment, Subscriber

    tenant, _ = Tenant.objects.get_or_create(code="default")
    services = {service.code: service for service in ensure_standard_services()}
    plan = PricePlan.objects.create(tenant=tenant, code="BENCH", name="Bench", currency="EUR")
    PricePlanService.objects.create(price_plan=plan, service=services["voice"], price_micros=60_000)
    cycle = BillCycle.objects.create(number=1, tenant=tenant, day=1)
    publish(LONG_AGO)
    opened, ids = database_instant(LONG_AGO), range(1, count + 1)

    def insert(model: type, columns: str, rows: object) -> None:
        insert_in_batches(model._meta.db_table, columns.split(), rows)  # type: ignore[attr-defined, arg-type]

    home, no_more = ("Elm Row 1", "", "53111", "Bonn", "", "DE"), ("", "", "")
    with transaction.atomic():
        insert(
            Customer,
            "id tenant_id number kind name street address_line2 postcode city region country email phone tax_number "
            "locale created_at",
            (
                (
                    pk,
                    tenant.pk,
                    f"C{pk}",
                    "person",
                    f"Customer {pk}",
                    *home,
                    f"c{pk}@example.org",
                    *no_more,
                    opened,
                )
                for pk in ids
            ),
        )
        insert(
            Subscriber,
            "id tenant_id customer_id number name status activated_at",
            ((pk, tenant.pk, pk, f"S{pk}", "", "active", opened) for pk in ids),
        )
        insert(
            Account,
            "id tenant_id customer_id number mode currency allow_negative opened_at",
            ((pk, tenant.pk, pk, f"A{pk}", "prepaid", "EUR", 0, opened) for pk in ids),
        )
        insert(Payer, "subscriber_id account_id", ((pk, pk) for pk in ids))
        insert(
            Balance,
            "account_id tag kind amount_micros units reserved_micros reserved_units",
            ((pk, "*default", "monetary", 0, 0, 0, 0) for pk in ids),
        )
        for place, (kind, value) in enumerate(
            (("msisdn", msisdn), ("imsi", lambda pk: str(262_010_000_000_000 + pk)))
        ):
            first = place * count
            insert(
                Resource,
                "id tenant_id kind value status",
                ((first + pk, tenant.pk, kind, value(pk), "assigned") for pk in ids),
            )
            insert(
                ResourceAssignment,
                "resource_id subscriber_id start",
                ((first + pk, pk, opened) for pk in ids),
            )
        insert(PlanAssignment, "subscriber_id price_plan_id start", ((pk, plan.pk, opened) for pk in ids))
        insert(
            BillingAccount,
            "account_id cycle_id billing_from billed_sequence billed_ledger_entry",
            ((pk, cycle.pk, opened, 0, 0) for pk in ids),
        )
    _count_anew()


def _count_anew() -> None:
    """Have the database look at what it holds: after so many rows at once it plans by how few there were before."""
    from django.db import connection

    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("ANALYZE")
            return
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"ANALYZE TABLE {connection.ops.quote_name(table)}")
            cursor.fetchall()
