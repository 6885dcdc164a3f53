"""What a new operator needs before anything can be sold: tenant, services, bill cycles, tax."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.db import transaction

from apps.billing.models import BillCycle, TaxRule
from apps.rating.models import Tenant
from apps.rating.services.standard_services import ensure_standard_services


@dataclass(frozen=True, slots=True)
class Operator:
    """The operator's own particulars; they head every bill."""

    name: str
    country: str
    currency: str
    time_zone: str
    locale: str
    cycles: int
    tax_name: str
    tax_millionths: int
    tenant: str = "default"
    legal_name: str = ""
    address: str = ""
    tax_number: str = ""
    payment_details: str = ""
    contact: str = ""


@transaction.atomic
def set_up(operator: Operator) -> Tenant:
    """Create the tenant, the standard services, bill cycles 1 to n and a general tax; leaves alone what exists."""
    tenant, _ = Tenant.objects.get_or_create(
        code=operator.tenant,
        defaults={
            "name": operator.name,
            "time_zone": operator.time_zone,
            "currency": operator.currency,
            "locale": operator.locale,
            "legal_name": operator.legal_name or operator.name,
            "address": operator.address,
            "tax_number": operator.tax_number,
            "payment_details": operator.payment_details,
            "contact": operator.contact,
        },
    )
    ensure_standard_services()
    taken = set(BillCycle.objects.values_list("number", flat=True))
    for number in range(1, operator.cycles + 1):
        if number not in taken:
            BillCycle.objects.create(
                number=number,
                tenant=tenant,
                # One after the other, so that not all runs fall on one day.
                day=min(number, 28),
                time_zone=operator.time_zone,
                currency=operator.currency,
            )
    if operator.tax_millionths:
        TaxRule.objects.get_or_create(
            tenant=tenant,
            service=None,
            name=operator.tax_name,
            defaults={"rate_millionths": operator.tax_millionths, "valid_from": date(2000, 1, 1)},
        )
    return tenant
