"""The invented operator of the demonstration: who it is and what it sells."""

from __future__ import annotations

from django.db import transaction

from apps.rating.models import Bundle, BundleService, PricePlan, PricePlanService, Service, Tenant
from bss_project.operator_setup import Operator

OPERATOR = Operator(
    name="Nordlicht Mobil",
    country="DE",
    currency="EUR",
    time_zone="Europe/Berlin",
    locale="en_GB",
    cycles=4,
    tax_name="VAT",
    tax_millionths=190_000,
    legal_name="Nordlicht Mobil GmbH",
    address="Hafenstraße 12\n24103 Kiel\nGermany",
    tax_number="DE000000000",
    payment_details="IBAN DE00 0000 0000 0000 0000 00 · BIC XXXXDEXX",
    contact="service@nordlicht.example · +49 431 0000000",
)

HOME = "DE_FIXED;DE_MOBILE"
EURO = 1_000_000

# code, name, monthly fee, rating subject, {service: (price a unit or None, free units, free destinations)}
PLANS = (
    (
        "PREPAID_EASY",
        "Prepaid Easy",
        0,
        "*any",
        {
            "voice": (90_000, 0, ""),
            "sms": (90_000, 0, ""),
            "data": (10_000, 0, ""),
            "mms": (390_000, 0, ""),
        },
    ),
    (
        "PREPAID_SMART",
        "Prepaid Smart",
        7_990_000,
        "*any",
        {
            "voice": (None, 100, HOME),
            "sms": (None, 50, HOME),
            "data": (None, 2_048, ""),
            "mms": (None, 0, ""),
        },
    ),
    (
        "POSTPAID_START",
        "Postpaid Start",
        9_990_000,
        "*any",
        {"voice": (None, 60, HOME), "sms": (None, 20, ""), "data": (None, 1_024, ""), "mms": (None, 0, "")},
    ),
    (
        "POSTPAID_FLAT",
        "Postpaid Flat",
        24_990_000,
        "*any",
        {
            "voice": (None, -1, HOME),
            "sms": (None, -1, HOME),
            "data": (None, 10_240, ""),
            "mms": (None, 10, ""),
        },
    ),
    (
        "BUSINESS",
        "Business",
        14_990_000,
        "BUSINESS",
        {"voice": (None, 0, ""), "sms": (None, 0, ""), "data": (None, 5_120, ""), "mms": (None, 0, "")},
    ),
)

BUNDLES = (
    ("DATA_2GB", "2 GB extra", 4_990_000, {"data": (2_048, "")}),
    ("ABROAD_60", "60 minutes abroad", 5_990_000, {"voice": (60, "!DE_FIXED;!DE_MOBILE")}),
)


@transaction.atomic
def ensure_products(tenant: Tenant) -> None:
    """Create the price plans and bundles that are missing."""
    services = {service.code: service for service in Service.objects.all()}
    for code, name, fee, subject, terms in PLANS:
        plan, created = PricePlan.objects.get_or_create(
            tenant=tenant,
            code=code,
            defaults={
                "name": name,
                "currency": tenant.currency,
                "monthly_fee_micros": fee,
                "rating_subject": subject,
            },
        )
        if created:
            for service, (price, free_units, free_destinations) in terms.items():
                PricePlanService.objects.create(
                    price_plan=plan,
                    service=services[service],
                    price_micros=price,
                    free_units=free_units,
                    free_destinations=free_destinations,
                )
    for code, name, fee, grants in BUNDLES:
        bundle, created = Bundle.objects.get_or_create(
            tenant=tenant,
            code=code,
            defaults={"name": name, "currency": tenant.currency, "monthly_fee_micros": fee},
        )
        if created:
            for service, (free_units, free_destinations) in grants.items():
                BundleService.objects.create(
                    bundle=bundle,
                    service=services[service],
                    free_units=free_units,
                    free_destinations=free_destinations,
                )
