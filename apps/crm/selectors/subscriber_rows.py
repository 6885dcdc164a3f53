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
from typing import Any, NamedTuple

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from apps.billing.selectors.views import BILLED_ACCOUNTS, CYCLES
from apps.charging.models import DEFAULT_BALANCE
from apps.charging.selectors import ACCOUNTS, BALANCES, PAYERS
from apps.crm.domain.subscribers import (
    Address,
    BundleHeld,
    Card,
    CustomerDetails,
    PlanHeld,
    SubscriberView,
)
from apps.crm.selectors.rows import instant_of_text, instant_or_none
from apps.rating.selectors.views import BUNDLES, PLANS, TENANTS
from apps.storage.bulk import database_instant
from apps.storage.dialect import in_given_order
from apps.storage.upserts import select_many
from apps.subscribers.selectors import BUNDLES_HELD, CARDS, CUSTOMERS, NUMBERS_HELD, PLANS_HELD, SUBSCRIBERS

BIGGEST_ID = 2**63 - 1

Rows = Sequence[tuple[Any, ...]]
MSISDN, IMSI, HANDSET = "msisdn", "imsi", "handset"


class _Person(NamedTuple):
    """A subscriber with its tenant, customer, payer and cycle; what there may be none of is None."""

    id: int
    tenant_id: int
    number: str
    status: str
    name: str
    tenant: str
    activated_at: str
    suspended_at: str | None
    terminated_at: str | None
    customer_id: int
    customer_number: str
    customer_kind: str
    customer_name: str
    email: str
    phone: str
    tax_number: str
    locale: str
    street: str
    address_line2: str
    postcode: str
    city: str
    region: str
    country: str
    card_of: int | None
    card_brand: str | None
    card_last_four: str | None
    card_expiry_month: int | None
    card_expiry_year: int | None
    card_holder: str | None
    account_id: int | None
    account_number: str | None
    account_mode: str | None
    currency: str | None
    amount_micros: int | None
    reserved_micros: int | None
    cycle: int | None
    next_cycle: int | None


class _Held(NamedTuple):
    """A number, plan or bundle that a subscriber holds; numbers without a time."""

    subscriber_id: int
    kind: str
    id: int
    code: str
    name: str
    start: str | None
    end: str | None


# In the order of _Person. Instants as text: what the drivers make of them costs more than reading the row.
_PEOPLE = f"""
SELECT {{in_order}} s.id, s.tenant_id, s.number, s.status, s.name, t.code,
 CAST(s.activated_at AS CHAR), CAST(s.suspended_at AS CHAR), CAST(s.terminated_at AS CHAR),
 c.id, c.number, c.kind, c.name, c.email, c.phone, c.tax_number, c.locale,
 c.street, c.address_line2, c.postcode, c.city, c.region, c.country,
 k.customer_id, k.brand, k.last_four, k.expiry_month, k.expiry_year, k.holder,
 a.id, a.number, a.mode, a.currency, b.amount_micros, b.reserved_micros, y.number, z.number
FROM {SUBSCRIBERS} s
JOIN {TENANTS} t ON t.id = s.tenant_id
JOIN {CUSTOMERS} c ON c.id = s.customer_id
LEFT JOIN {CARDS} k ON k.customer_id = c.id
LEFT JOIN {PAYERS} p ON p.subscriber_id = s.id
LEFT JOIN {ACCOUNTS} a ON a.id = p.account_id
LEFT JOIN {BALANCES} b ON b.account_id = a.id AND b.tag = '{DEFAULT_BALANCE}'
LEFT JOIN {BILLED_ACCOUNTS} g ON g.account_id = a.id
LEFT JOIN {CYCLES} y ON y.id = g.cycle_id
LEFT JOIN {CYCLES} z ON z.id = g.next_cycle_id
WHERE s.id IN ({{{{values}}}})
"""
# One statement rather than three: each is a fixed cost to the database, and for us a wait for the GIL.
_HELD = f"""
SELECT {{in_order}} x.subscriber_id, x.kind, x.id, x.value, '', NULL, NULL
FROM {NUMBERS_HELD} x
WHERE x.subscriber_id IN ({{{{values}}}}) AND x.start <= {{{{now}}}} AND (x.`end` IS NULL OR x.`end` > {{{{now}}}})
UNION ALL
SELECT {{in_order}} x.subscriber_id, 'plan', v.id, v.code, v.name, CAST(x.start AS CHAR), CAST(x.`end` AS CHAR)
FROM {PLANS_HELD} x JOIN {PLANS} v ON v.id = x.price_plan_id
WHERE x.subscriber_id IN ({{{{values}}}})
UNION ALL
SELECT {{in_order}} x.subscriber_id, 'bundle', v.id, v.code, v.name, CAST(x.start AS CHAR), CAST(x.`end` AS CHAR)
FROM {BUNDLES_HELD} x JOIN {BUNDLES} v ON v.id = x.bundle_id
WHERE x.subscriber_id IN ({{{{values}}}}) AND x.start <= {{{{now}}}} AND (x.`end` IS NULL OR x.`end` > {{{{now}}}})
"""


class SubscriberRows:
    """What the database holds of some subscribers at an instant; to look at it, it is not needed any more."""

    def __init__(self, people: Rows, held: Rows, now: datetime) -> None:
        self._people = [_Person._make(row) for row in people]
        self._held = [_Held._make(row) for row in held]
        self._now = now

    def views(self) -> dict[int, tuple[int, SubscriberView]]:
        """By id: the tenant's id and the subscriber. Those that do not exist are absent."""
        held: dict[int, list[_Held]] = defaultdict(list)
        for one in self._held:
            held[one.subscriber_id].append(one)
        return {
            person.id: (person.tenant_id, _view(person, held.get(person.id, ()), self._now))
            for person in self._people
        }


def subscriber_views(ids: Collection[int], now: datetime) -> dict[int, tuple[int, SubscriberView]]:
    """By id: the tenant's id and the subscriber as it is at ``now``. Those that do not exist are absent."""
    return subscriber_rows(ids, now).views()


def subscriber_rows(ids: Collection[int], now: datetime) -> SubscriberRows:
    """Read the subscribers as they are at ``now``, in one round trip."""
    # SQLite takes no larger number, and there is no such id.
    wanted = [int(pk) for pk in ids if 0 < pk <= BIGGEST_ID]
    if not wanted:
        return SubscriberRows((), (), now)
    connection = _connection()
    people, held = select_many(
        connection,
        [(_statement(sql, now), wanted) for sql in (_PEOPLE, _HELD)],
    )
    return SubscriberRows(people, held, now)


def _connection() -> BaseDatabaseWrapper:
    connection = connections[DEFAULT_DB_ALIAS]
    connection.ensure_connection()
    return connection


def _statement(sql: str, now: datetime) -> str:
    return _in_dialect(sql).replace("{now}", f"'{database_instant(now)}'")


@cache
def _in_dialect(sql: str) -> str:
    """For MySQL with the order in which it is to join.

    With statistics of tables that have just grown it begins at the tenant, and reads all of its subscribers.
    """
    return sql.format(in_order=in_given_order())


def _view(person: _Person, held: Iterable[_Held], now: datetime) -> SubscriberView:
    numbers = {MSISDN: "", IMSI: "", HANDSET: ""}
    plans: list[PlanHeld] = []
    bundles: list[BundleHeld] = []
    for one in held:
        if one.kind in numbers:
            numbers[one.kind] = one.code
            continue
        start, end = instant_of_text(one.start or ""), instant_or_none(one.end)
        if one.kind == "bundle":
            bundles.append(BundleHeld(one.id, one.code, one.name, start, end))
        # A plan that was taken back before it began never held.
        elif end is None or end > start:
            plans.append(PlanHeld(one.id, one.code, one.name, start, end))
    current, following = _plans_at(plans, now)
    return SubscriberView(
        person.id,
        person.number,
        person.status,
        person.name,
        person.tenant,
        instant_of_text(person.activated_at),
        instant_or_none(person.suspended_at),
        instant_or_none(person.terminated_at),
        person.customer_id,
        CustomerDetails(
            person.customer_number,
            person.customer_kind,
            person.customer_name,
            person.email,
            person.phone,
            person.tax_number,
            person.locale,
        ),
        Address(
            person.street,
            person.address_line2,
            person.postcode,
            person.city,
            person.region,
            person.country,
        ),
        _card(person),
        numbers[MSISDN],
        numbers[IMSI],
        numbers[HANDSET],
        person.account_id or 0,
        person.account_number or "",
        person.account_mode or "",
        person.currency or "",
        person.amount_micros or 0,
        person.reserved_micros or 0,
        person.cycle or 0,
        person.next_cycle or 0,
        current,
        following,
        tuple(sorted(bundles, key=lambda bundle: (bundle.start, bundle.id))) if bundles else (),
    )


def _card(person: _Person) -> Card | None:
    if person.card_of is None:
        return None
    return Card(
        # The token stays inside.
        "",
        person.card_brand or "",
        person.card_last_four or "",
        person.card_expiry_month or 0,
        person.card_expiry_year or 0,
        person.card_holder or "",
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
