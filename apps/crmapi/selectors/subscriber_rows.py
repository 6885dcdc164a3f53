"""Subscribers with all that belongs to them, from two statements however many they are.

Plain SQL: a front end opens a subscriber's page at every call it takes, and the ORM's way of building such a row costs
several times what the database does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime
from functools import cache
from typing import Any

from django.db import connection

from apps.charging.models import DEFAULT_BALANCE
from apps.crmapi.domain.subscribers import (
    Address,
    BundleHeld,
    Card,
    CustomerDetails,
    PlanHeld,
    SubscriberView,
)
from apps.crmapi.selectors.rows import aware
from apps.storage.bulk import database_instant

Holdings = dict[int, "list[tuple[Any, ...]]"]
MSISDN, IMSI, HANDSET = "msisdn", "imsi", "handset"

_PEOPLE = f"""
SELECT {{in_order}} s.id, s.tenant_id, s.number, s.status, s.name, t.code,
 s.activated_at, s.suspended_at, s.terminated_at,
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
WHERE s.id IN ({{marks}})
"""
_HELD = """
SELECT {in_order} x.subscriber_id, r.kind, r.id, r.value, '', x.start, x.{end}
FROM subscribers_resourceassignment x JOIN subscribers_resource r ON r.id = x.resource_id
WHERE x.subscriber_id IN ({marks}) AND (x.{end} IS NULL OR x.{end} > {now}) AND x.start <= {now}
UNION ALL
SELECT {in_order} x.subscriber_id, 'plan', v.id, v.code, v.name, x.start, x.{end}
FROM subscribers_planassignment x JOIN rating_priceplan v ON v.id = x.price_plan_id
WHERE x.subscriber_id IN ({marks})
UNION ALL
SELECT {in_order} x.subscriber_id, 'bundle', v.id, v.code, v.name, x.start, x.{end}
FROM subscribers_bundleassignment x JOIN rating_bundle v ON v.id = x.bundle_id
WHERE x.subscriber_id IN ({marks}) AND (x.{end} IS NULL OR x.{end} > {now}) AND x.start <= {now}
"""
_HOLDERS = """
SELECT {in_order} r.value, r.tenant_id, x.subscriber_id
FROM subscribers_resource r JOIN subscribers_resourceassignment x ON x.resource_id = r.id
WHERE r.kind = 'msisdn' AND r.value IN ({marks}) AND (x.{end} IS NULL OR x.{end} > {now}) AND x.start <= {now}
"""


def subscriber_views(ids: Collection[int], now: datetime) -> dict[int, tuple[int, SubscriberView]]:
    """By id: the tenant's id and the subscriber as it is at ``now``. Those that do not exist are absent."""
    wanted = list(ids)
    if not wanted:
        return {}
    marks = ",".join(str(int(pk)) for pk in wanted)
    words = {"marks": marks, "end": _end(), "in_order": _in_order()}
    held: Holdings = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_PEOPLE.format(**words))
        people = cursor.fetchall()
        cursor.execute(_HELD.format(**words, now=f"'{database_instant(now)}'"))
        for row in cursor.fetchall():
            held[row[0]].append(row)
    return {row[0]: (row[1], _view(row, held.get(row[0], ()), now)) for row in people}


def holders_of(msisdns: Collection[str], now: datetime) -> dict[tuple[int, str], int]:
    """The subscriber who holds each MSISDN at ``now``, by tenant id and MSISDN."""
    values = list(msisdns)
    if not values:
        return {}
    statement = _HOLDERS.format(
        marks=",".join(["%s"] * len(values)),
        now=f"'{database_instant(now)}'",
        end=_end(),
        in_order=_in_order(),
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return {(tenant_id, value): subscriber_id for value, tenant_id, subscriber_id in cursor.fetchall()}


@cache
def _end() -> str:
    return str(connection.ops.quote_name("end"))


@cache
def _in_order() -> str:
    """Makes MySQL join the tables as they are written, whatever its statistics say of tables that have just grown.

    With old ones it begins at the tenant, and reads all of its subscribers.
    """
    return "STRAIGHT_JOIN" if connection.vendor == "mysql" else ""


def _view(row: tuple[Any, ...], held: Iterable[tuple[Any, ...]], now: datetime) -> SubscriberView:
    numbers = {MSISDN: "", IMSI: "", HANDSET: ""}
    plans: list[PlanHeld] = []
    bundles: list[BundleHeld] = []
    for _, kind, pk, code, name, starts, ends in held:
        if kind == "plan":
            start, end = aware(starts), aware(ends)
            if end is None or end > start:  # type: ignore[operator]
                plans.append(PlanHeld(pk, code, name, start, end))  # type: ignore[arg-type]
        elif kind == "bundle":
            bundles.append(BundleHeld(pk, code, name, aware(starts), aware(ends)))  # type: ignore[arg-type]
        else:
            numbers[kind] = code
    current, following = _plans_at(plans, now)
    return SubscriberView(
        row[0],
        row[2],
        row[3],
        row[4],
        row[5],
        aware(row[6]),  # type: ignore[arg-type]
        aware(row[7]),
        aware(row[8]),
        row[9],
        CustomerDetails(
            number=row[10],
            kind=row[11],
            name=row[12],
            email=row[13],
            phone=row[14],
            tax_number=row[15],
            locale=row[16],
        ),
        Address(
            street=row[17],
            address_line2=row[18],
            postcode=row[19],
            city=row[20],
            region=row[21],
            country=row[22],
        ),
        None
        if row[23] is None
        else Card(
            brand=row[24],
            last_four=row[25],
            expiry_month=row[26] or 0,
            expiry_year=row[27] or 0,
            holder=row[28],
        ),
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
        tuple(sorted(bundles, key=lambda bundle: (bundle.start, bundle.id))),
    )


def _plans_at(plans: list[PlanHeld], now: datetime) -> tuple[PlanHeld | None, PlanHeld | None]:
    """The plan held at ``now`` (else the last one before), and the first that begins later."""
    current = following = None
    for plan in sorted(plans, key=lambda plan: plan.start):
        if plan.start <= now:
            current = plan
        elif following is None:
            following = plan
    return current, following
