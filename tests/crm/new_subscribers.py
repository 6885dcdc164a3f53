"""A subscriber to be created by the CRM, and what has to be there for it."""

from __future__ import annotations

from datetime import UTC, datetime

from apps.charging.services.executor import forget_directory
from apps.crm.domain.subscribers import (
    Address,
    Card,
    CustomerDetails,
    NewSubscriber,
)
from apps.crm.selectors.tenants import forget_tenants
from apps.rating.services.publishing import publish
from tests.factories import make_bundle, make_cycle, make_plan

NOW = datetime(2026, 5, 10, 12, 0, tzinfo=UTC)
TOKEN = "tok_9aZ-3kf"


def make_products() -> None:
    make_cycle(1)
    make_cycle(2, day=15)
    make_plan("PLAN", fee_micros=31_000_000, voice=(60_000, 0), data=(1_000, 0))
    make_plan("OTHER", fee_micros=5_000_000, voice=(30_000, 0))
    make_bundle("EXTRA", voice=10)
    publish(NOW)
    forget_directory()
    forget_tenants()


def new(**fields: object) -> NewSubscriber:
    values: dict[str, object] = {
        "msisdn": "+49 155 5000001",
        "imsi": "262011234567890",
        "mode": "prepaid",
        "customer": CustomerDetails(
            name="Ada Lovelace", email="ada@example.org", phone="4930123", tax_number="T1"
        ),
        "address": Address(
            street="Hauptstr. 1",
            address_line2="c/o Babbage",
            postcode="24103",
            city="Kiel",
            region="SH",
            country="DE",
        ),
        "card": Card(
            token=TOKEN, brand="visa", last_four="4242", expiry_month=12, expiry_year=2030, holder="A L"
        ),
        "price_plan": "PLAN",
        "bundles": ("EXTRA",),
        "opening_balance_micros": 20_000_000,
    }
    return NewSubscriber(**{**values, **fields})  # type: ignore[arg-type]
