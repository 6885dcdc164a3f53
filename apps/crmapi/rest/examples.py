"""Examples of requests and answers in the OpenAPI document."""

from __future__ import annotations

from typing import Any

NEW_SUBSCRIBER: dict[str, Any] = {
    "msisdn": "4915550000001",
    "mode": "prepaid",
    "price_plan": "SMART",
    "customer": {"name": "Ada Lovelace", "email": "ada@example.com"},
    "address": {"street": "Hauptstr. 1", "postcode": "10115", "city": "Berlin", "country": "DE"},
    "opening_balance": "10.00",
}
SUBSCRIBER_CHANGE: dict[str, Any] = {
    "address": {"city": "Hamburg"},
    "price_plan": "FLAT",
    "plan_from": "2026-03-01T00:00:00+01:00",
}
SUBSCRIBER: dict[str, Any] = {
    "id": 1,
    "number": "S1",
    "status": "active",
    "name": "",
    "msisdn": "4915550000001",
    "imsi": "262019000000001",
    "handset": "",
    "activated_at": "2026-01-01T00:00:00Z",
    "suspended_at": None,
    "terminated_at": None,
    "customer": {
        "number": "C1",
        "kind": "person",
        "name": "Ada Lovelace",
        "email": "ada@example.com",
        "phone": "",
        "tax_number": "",
        "locale": "",
    },
    "address": {
        "street": "Hauptstr. 1",
        "address_line2": "",
        "postcode": "10115",
        "city": "Berlin",
        "region": "",
        "country": "DE",
    },
    "card": None,
    "account_id": 1,
    "account_number": "A1",
    "mode": "prepaid",
    "currency": "EUR",
    "balance": "10",
    "balance_micros": 10_000_000,
    "reserved": "0",
    "reserved_micros": 0,
    "cycle": 1,
    "next_cycle": None,
    "plan": {"id": 1, "code": "SMART", "name": "Smart", "start": "2026-01-01T00:00:00Z", "end": None},
    "next_plan": None,
    "bundles": [],
}
ISSUED_TOKEN: dict[str, Any] = {
    "id": 7,
    "token": "bss_2mQm0b0QkYv1y3o0c8n5lq7mZr9sX4tAe6uVd1wJfKg",
    "name": "subscriber S1",
    "subscriber_id": 1,
    "expires_at": "2026-02-28T12:00:00Z",
}
MOVED: dict[str, Any] = {
    "account_id": 1,
    "currency": "EUR",
    "amount": "20",
    "amount_micros": 20_000_000,
    "balance": "30",
    "balance_micros": 30_000_000,
}
PRICE_ENQUIRY: dict[str, Any] = {
    "service": "voice",
    "usage": 65,
    "destination": "4930123456",
    "start": "2026-01-05T10:00:00Z",
    "price_plan": "SMART",
}
PRICE: dict[str, Any] = {
    "cost": "0.18",
    "cost_micros": 180_000,
    "connect_fee": "0",
    "connect_fee_micros": 0,
    "billed_usage": 120,
    "currency": "EUR",
    "subject": "*plan:SMART",
    "destination": "*any",
    "tariff_version": 3,
    "lines": [
        {
            "start": "2026-01-05T10:00:00Z",
            "usage": 65,
            "billed_usage": 120,
            "increment": 60,
            "rate": "0.09",
            "rate_unit": 60,
            "rating_plan": "*plan:SMART",
            "destination": "*any",
            "prefix": "*any",
            "timing": "*any",
            "cost": "0.18",
            "cost_micros": 180_000,
        }
    ],
    "explanation": "65 s of voice to 4930123456, begun 2026-01-05 10:00:00 UTC, cost 0.18. …",
}
ACTIVITY: dict[str, Any] = {
    "id": 12,
    "type": "single_billing",
    "param": "4915550000001",
    "month": "1",
    "year": "2026",
    "status": "pending",
    "error": "",
    "result": "",
    "cycle": 1,
    "queued_by": "crm/ada",
    "queued_at": "2026-02-01T08:00:00Z",
    "started_at": None,
    "finished_at": None,
}
NEW_BATCH: dict[str, Any] = {
    "name": "Spring",
    "count": 100,
    "amount": "10.00",
    "expires_at": "2027-12-31T23:00:00Z",
}
REDEMPTION: dict[str, Any] = {
    "serial": "000003-0000017",
    "account_id": 1,
    "kind": "monetary",
    "amount": "10",
    "amount_micros": 10_000_000,
    "units": None,
    "currency": "EUR",
    "balance_tag": "*default",
    "bundle": "",
    "balance": "20",
    "balance_micros": 20_000_000,
    "redeemed_at": "2026-02-01T08:00:00Z",
}
