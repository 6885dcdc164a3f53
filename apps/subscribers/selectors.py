"""Reads of the subscribers room."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from apps.storage.bulk import database_instant
from apps.storage.dialect import listed
from apps.storage.reads import instant_read, select_in
from apps.subscribers.models import Resource, Subscriber

IDS_A_QUERY = 5_000

# Rows that other rooms may join in SQL of their own: ``FROM {SUBSCRIBERS} s``.
SUBSCRIBERS = (
    "(SELECT id, tenant_id, customer_id, number, name, status, activated_at, suspended_at, terminated_at"
    " FROM subscribers_subscriber)"
)
CUSTOMERS = (
    "(SELECT id, number, kind, name, email, phone, tax_number, locale, street, address_line2, postcode, city, region,"
    " country FROM subscribers_customer)"
)
CARDS = (
    "(SELECT customer_id, brand, last_four, expiry_month, expiry_year, holder FROM subscribers_paymentcard)"
)
NUMBERS_HELD = (
    "(SELECT x.subscriber_id, r.tenant_id, r.id, r.kind, r.value, x.start, x.`end`"
    " FROM subscribers_resourceassignment x JOIN subscribers_resource r ON r.id = x.resource_id)"
)
PLANS_HELD = "(SELECT id, subscriber_id, price_plan_id, start, `end` FROM subscribers_planassignment)"
BUNDLES_HELD = "(SELECT id, subscriber_id, bundle_id, start, `end` FROM subscribers_bundleassignment)"
BARRED_SUBSCRIBERS = (
    "SELECT id FROM subscribers_subscriber"
    f" WHERE id IN ({{values}}) AND status <> '{Subscriber.Status.ACTIVE.value}'"
)
"""Those of the subscribers who may not use anything: suspended or terminated."""


def in_portions(values: Collection[str] | Collection[int], size: int = IDS_A_QUERY) -> Iterator[list[Any]]:
    """``values`` in ascending order, a bounded list at a time: one query's worth of parameters."""
    ordered = sorted(values)
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]


def msisdn_holdings(
    msisdns: Collection[str], first: datetime, last: datetime
) -> list[tuple[str, int, datetime, datetime | None]]:
    """(MSISDN, subscriber id, start, end) of every assignment that holds an instant of ``[first, last]``."""
    return _number_holdings(Resource.Kind.MSISDN, msisdns, first, last)


def imsi_holdings(
    imsis: Collection[str], first: datetime, last: datetime
) -> list[tuple[str, int, datetime, datetime | None]]:
    """As :func:`msisdn_holdings`, of IMSIs."""
    return _number_holdings(Resource.Kind.IMSI, imsis, first, last)


def _number_holdings(
    kind: Resource.Kind, values: Collection[str], first: datetime, last: datetime
) -> list[tuple[str, int, datetime, datetime | None]]:
    return _periods(
        "SELECT resource.value, held.subscriber_id, CAST(held.start AS CHAR), CAST(held.`end` AS CHAR)"
        " FROM subscribers_resource resource"
        " JOIN subscribers_resourceassignment held ON held.resource_id = resource.id"
        f" WHERE resource.kind = '{kind.value}' AND resource.value IN ({{values}})",
        values,
        first,
        last,
    )


def holders_at(kind: str, values: Collection[str], at: datetime) -> dict[tuple[int, str], int]:
    """The subscriber who holds each number of a kind (MSISDN, IMSI) at an instant, by tenant id and number."""
    moment = database_instant(at)
    rows = select_in(
        "SELECT resource.tenant_id, resource.value, held.subscriber_id FROM subscribers_resource resource"
        " JOIN subscribers_resourceassignment held ON held.resource_id = resource.id"
        f" WHERE resource.kind = '{kind}' AND resource.value IN ({{values}}) AND held.start <= '{moment}'"
        f" AND (held.`end` IS NULL OR held.`end` > '{moment}')",
        values,
    )
    return {(tenant_id, value): subscriber_id for tenant_id, value, subscriber_id in rows}


def listed_assignments(subscriber_id: str, first: datetime, last: datetime) -> tuple[str, str]:
    """Two expressions: the plans and the bundles that hold an instant of ``[first, last]``, as text.

    Each is ``plan;start;end``, split by ``|``; NULL if there is none. ``subscriber_id`` is the outer row's column.
    """
    within = (
        f"held.subscriber_id = {subscriber_id} AND held.start <= '{database_instant(last)}'"
        f" AND (held.`end` IS NULL OR held.`end` > '{database_instant(first)}')"
    )
    times = ("held.start", "COALESCE(held.`end`, '')")
    plans = listed(["held.price_plan_id", *times], within=";", between="|")
    bundles = listed(["held.bundle_id", *times], within=";", between="|")
    return (
        f"(SELECT {plans} FROM subscribers_planassignment held WHERE {within})",
        f"(SELECT {bundles} FROM subscribers_bundleassignment held WHERE {within})",
    )


def plan_periods(
    subscriber_ids: Collection[int], first: datetime, last: datetime
) -> list[tuple[int, int, datetime, datetime | None]]:
    """(subscriber id, price plan id, start, end) of every assignment that holds an instant of ``[first, last]``."""
    return _periods(
        "SELECT held.subscriber_id, held.price_plan_id, CAST(held.start AS CHAR), CAST(held.`end` AS CHAR)"
        " FROM subscribers_planassignment held WHERE held.subscriber_id IN ({values})",
        subscriber_ids,
        first,
        last,
    )


def bundle_periods(
    subscriber_ids: Collection[int], first: datetime, last: datetime
) -> list[tuple[int, int, datetime, datetime | None]]:
    """(subscriber id, bundle id, start, end) of every assignment that holds an instant of ``[first, last]``."""
    return _periods(
        "SELECT held.subscriber_id, held.bundle_id, CAST(held.start AS CHAR), CAST(held.`end` AS CHAR)"
        " FROM subscribers_bundleassignment held WHERE held.subscriber_id IN ({values})",
        subscriber_ids,
        first,
        last,
    )


def _periods(
    sql: str, values: Collection[str] | Collection[int], first: datetime, last: datetime
) -> list[tuple[Any, int, datetime, datetime | None]]:
    """The rows of ``sql`` for ``values`` that are ``held`` at some instant of ``[first, last]``."""
    within = (
        f" AND held.start <= '{database_instant(last)}'"
        f" AND (held.`end` IS NULL OR held.`end` > '{database_instant(first)}')"
    )
    return [
        (value, other_id, instant_read(start), None if end is None else instant_read(end))
        for value, other_id, start, end in select_in(sql + within, values)
    ]
