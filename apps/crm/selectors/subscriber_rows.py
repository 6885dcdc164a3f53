"""Subscribers with all that belongs to them, from one round trip to the database however many they are.

Plain SQL on the driver itself: a front end opens a subscriber's page at every call it takes, and the ORM's way of
building such a row costs several times what the database does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from functools import cache
from operator import attrgetter
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from apps.charging.models import DEFAULT_BALANCE
from apps.crm.domain.subscribers import (
    Address,
    BundleHeld,
    Card,
    CustomerDetails,
    PlanHeld,
    SubscriberView,
)
from apps.crm.selectors.rows import instant_of_text, instant_or_none
from apps.storage.bulk import database_instant
from apps.storage.upserts import select, select_many

BIGGEST_ID = 2**63 - 1

Rows = Sequence[tuple[Any, ...]]
MSISDN, IMSI, HANDSET = "msisdn", "imsi", "handset"

# Instants as text: what the drivers make of them costs more than reading the row.
_PEOPLE = f"""
SELECT {{in_order}} s.id, s.tenant_id, s.number, s.status, s.name, t.code,
 CAST(s.activated_at AS CHAR), CAST(s.suspended_at AS CHAR), CAST(s.terminated_at AS CHAR),
 c.id, c.number, c.kind, c.name, c.email, c.phone, c.tax_number, c.locale,
 c.street, c.address_line2, c.postcode, c.city, c.region, c.country,
 k.customer_id, k.brand, k.last_four, k.expiry_month, k.expiry_year, k.holder,
 a.id, a.number, a.mode, a.currency, b.amount_micros, b.reserved_micros, y.number, z.number
FROM subscribers_subscriber s
JOIN rating_tenant t ON t.id = s.tenant_id
JOIN subscribers_customer c ON c.id = s.customer_id
LEFT JOIN subscribers_paymentcard k ON k.customer_id = c.id
LEFT JOIN charging_payer p ON p.subscriber_id = s.id
LEFT JOIN charging_account a ON a.id = p.account_id
LEFT JOIN charging_balance b ON b.account_id = a.id AND b.tag = '{DEFAULT_BALANCE}'
LEFT JOIN billing_billingaccount g ON g.account_id = a.id
LEFT JOIN billing_billcycle y ON y.id = g.cycle_id
LEFT JOIN billing_billcycle z ON z.id = g.next_cycle_id
WHERE s.id IN ({{{{values}}}})
"""
# One statement rather than three: each is a fixed cost to the database, and for us a wait for the interpreter.
_HELD = """
SELECT {in_order} x.subscriber_id, r.kind, r.id, r.value, '', NULL, NULL
FROM subscribers_resourceassignment x JOIN subscribers_resource r ON r.id = x.resource_id
WHERE x.subscriber_id IN ({{values}}) AND x.start <= {{now}} AND (x.{end} IS NULL OR x.{end} > {{now}})
UNION ALL
SELECT {in_order} x.subscriber_id, 'plan', v.id, v.code, v.name, CAST(x.start AS CHAR), CAST(x.{end} AS CHAR)
FROM subscribers_planassignment x JOIN rating_priceplan v ON v.id = x.price_plan_id
WHERE x.subscriber_id IN ({{values}})
UNION ALL
SELECT {in_order} x.subscriber_id, 'bundle', v.id, v.code, v.name, CAST(x.start AS CHAR), CAST(x.{end} AS CHAR)
FROM subscribers_bundleassignment x JOIN rating_bundle v ON v.id = x.bundle_id
WHERE x.subscriber_id IN ({{values}}) AND x.start <= {{now}} AND (x.{end} IS NULL OR x.{end} > {{now}})
"""
_HOLDERS = """
SELECT {in_order} r.value, r.tenant_id, x.subscriber_id
FROM subscribers_resource r JOIN subscribers_resourceassignment x ON x.resource_id = r.id
WHERE r.kind = 'msisdn' AND r.value IN ({{values}})
 AND x.start <= {{now}} AND (x.{end} IS NULL OR x.{end} > {{now}})
"""


class SubscriberRows:
    """What the database holds of some subscribers at an instant; to look at it, it is not needed any more."""

    def __init__(self, people: Rows, held: Rows, now: datetime) -> None:
        self._people, self._held, self._now = people, held, now

    def views(self) -> dict[int, tuple[int, SubscriberView]]:
        """By id: the tenant's id and the subscriber. Those that do not exist are absent."""
        held: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
        for row in self._held:
            held[row[0]].append(row)
        return {row[0]: (row[1], _view(row, held.get(row[0], ()), self._now)) for row in self._people}


def subscriber_views(ids: Collection[int], now: datetime) -> dict[int, tuple[int, SubscriberView]]:
    """By id: the tenant's id and the subscriber as it is at ``now``. Those that do not exist are absent."""
    return subscriber_rows(ids, now).views()


def subscriber_rows(ids: Collection[int], now: datetime) -> SubscriberRows:
    """Read the subscribers as they are at ``now``, in one round trip."""
    # SQLite takes no larger number, and nobody has one.
    wanted = [int(pk) for pk in ids if 0 < pk <= BIGGEST_ID]
    if not wanted:
        return SubscriberRows((), (), now)
    connection = _connection()
    people, held = select_many(
        connection,
        [(_statement(connection.vendor, sql, now), wanted) for sql in (_PEOPLE, _HELD)],
    )
    return SubscriberRows(people, held, now)


def holders_of(msisdns: Collection[str], now: datetime) -> dict[tuple[int, str], int]:
    """The subscriber who holds each MSISDN at ``now``, by tenant id and MSISDN."""
    if not msisdns:
        return {}
    connection = _connection()
    rows = select(connection, _statement(connection.vendor, _HOLDERS, now), list(msisdns))
    return {(tenant_id, value): subscriber_id for value, tenant_id, subscriber_id in rows}


def _connection() -> BaseDatabaseWrapper:
    connection = connections[DEFAULT_DB_ALIAS]
    connection.ensure_connection()
    return connection


def _statement(vendor: str, sql: str, now: datetime) -> str:
    return _in_dialect(vendor, sql).replace("{now}", f"'{database_instant(now)}'")


@cache
def _in_dialect(vendor: str, sql: str) -> str:
    """With the database's quotes, and for MySQL with the order in which it is to join.

    With statistics of tables that have just grown it begins at the tenant, and reads all of its subscribers.
    """
    if vendor == "mysql":
        return sql.format(in_order="STRAIGHT_JOIN", end="`end`")
    return sql.format(in_order="", end='"end"')


def _view(row: tuple[Any, ...], held: Iterable[tuple[Any, ...]], now: datetime) -> SubscriberView:
    numbers = {MSISDN: "", IMSI: "", HANDSET: ""}
    plans: list[PlanHeld] = []
    bundles: list[BundleHeld] = []
    for _, kind, pk, code, name, starts, ends in held:
        if kind == "plan":
            start, end = instant_of_text(starts), instant_or_none(ends)
            # One that was taken back before it began never held.
            if end is None or end > start:
                plans.append(PlanHeld(pk, code, name, start, end))
        elif kind == "bundle":
            bundles.append(BundleHeld(pk, code, name, instant_of_text(starts), instant_or_none(ends)))
        else:
            numbers[kind] = code
    current, following = _plans_at(plans, now)
    return SubscriberView(
        row[0],
        row[2],
        row[3],
        row[4],
        row[5],
        instant_of_text(row[6]),
        instant_or_none(row[7]),
        instant_or_none(row[8]),
        row[9],
        CustomerDetails(*row[10:17]),
        Address(*row[17:23]),
        # The token stays inside.
        None if row[23] is None else Card("", row[24], row[25], row[26] or 0, row[27] or 0, row[28]),
        numbers[MSISDN],
        numbers[IMSI],
        numbers[HANDSET],
        row[29] or 0,
        row[30] or "",
        row[31] or "",
        row[32] or "",
        row[33] or 0,
        row[34] or 0,
        row[35] or 0,
        row[36] or 0,
        current,
        following,
        tuple(sorted(bundles, key=lambda bundle: (bundle.start, bundle.id))) if bundles else (),
    )


def _plans_at(plans: Sequence[PlanHeld], now: datetime) -> tuple[PlanHeld | None, PlanHeld | None]:
    """The plan held at ``now`` (else the last one before), and the first that begins later."""
    current = following = None
    for plan in sorted(plans, key=attrgetter("start")) if len(plans) > 1 else plans:
        if plan.start <= now:
            current = plan
        elif following is None:
            following = plan
    return current, following
