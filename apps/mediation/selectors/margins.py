"""What resellers earn: what one run of records brought, and what another cost them, by destination and month."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.db import connection

from apps.backoffice.exports import Sheet
from apps.charging.domain.modes import NOT_CHARGED
from apps.charging.selectors import ACCOUNTS
from apps.kernel.currencies import decimals_of
from apps.kernel.errors import InvalidInput
from apps.kernel.money import format_micros
from apps.kernel.periods import Month, Period, local_midnight, month_of, month_period
from apps.mediation.models import RatedDestination, RunAccount
from apps.rating.domain.runs import DEFAULT_RUN
from apps.rating.models import Service
from apps.rating.selectors.views import TENANTS
from apps.storage.bulk import database_instant
from apps.storage.dialect import whole
from apps.storage.upserts import marks

LONGEST = timedelta(days=3 * 366)


class MarginQuery(NamedTuple):
    """Which records: local days ``[first, last]``, of one reseller's account (its id), run and destination, or of all.

    ``retail`` is the run that brings the revenue: the default one, or in a chain the run of the reseller below.
    """

    first: date
    last: date
    account_id: int | None = None
    run: str = ""
    destination: str = ""
    retail: str = DEFAULT_RUN


class Margin(NamedTuple):
    """Records of a run that was charged to a reseller, with what the retail run of the same records brought.

    Revenue and cost are in the currencies of the accounts that they are charged to.
    """

    month: Month
    run: str
    tenant: str
    account: str
    service: str
    destination: str
    records: int
    usage: int
    revenue_micros: int
    revenue_currency: str
    cost_micros: int
    cost_currency: str

    @property
    def margin_micros(self) -> int | None:
        """Revenue less cost; None if they are in two currencies."""
        return self.revenue_micros - self.cost_micros if self.revenue_currency == self.cost_currency else None


def margins(query: MarginQuery, zone: ZoneInfo) -> list[Margin]:
    """By month of ``zone``, run, reseller, service and destination. Raises InvalidInput for a period that cannot be."""
    if query.last < query.first or query.last - query.first > LONGEST:
        raise InvalidInput("the period ends before it begins, or is longer than three years", where="days")
    accounts = RunAccount.objects.values_list("pk", flat=True).order_by("pk")
    if query.account_id is not None:
        accounts = accounts.filter(pk=query.account_id)
    account_ids = list(accounts)
    destination_id = None
    if query.destination:
        found = RatedDestination.objects.filter(tag=query.destination).values_list("pk", flat=True).first()
        if found is None:
            raise InvalidInput(
                f"nothing was rated to a destination “{query.destination}”", where="destination"
            )
        destination_id = found
    if not account_ids:
        return []
    names = dict(RatedDestination.objects.values_list("pk", "tag"))
    services = dict(Service.objects.values_list("pk", "code"))
    result = []
    for month, period in _months(query, zone):
        for run, tenant, number, service_id, place_id, *figures in _read(
            query, period, account_ids, destination_id
        ):
            result.append(Margin(month, run, tenant, number, services[service_id], names[place_id], *figures))
    return sorted(result)


MARGIN_HEADERS = (
    *("Month", "Run", "Tenant", "Reseller", "Service", "Destination", "Records", "Usage"),
    *("Revenue", "Cost", "Margin", "Currency"),
)


def margin_sheet(found: Sequence[Margin]) -> Sheet:
    """The margins as a table; money as decimal text. Of two currencies both are named and there is no margin."""
    return Sheet(MARGIN_HEADERS, map(_cells, found))


def _cells(one: Margin) -> tuple[object, ...]:
    currency = one.revenue_currency
    if currency != one.cost_currency:
        currency = f"{one.revenue_currency}, {one.cost_currency}"
    margin = one.margin_micros
    return (
        *(f"{one.month.year}-{one.month.month:02d}", one.run, one.tenant, one.account),
        *(one.service, one.destination, one.records, one.usage),
        format_micros(one.revenue_micros, decimals_of(one.revenue_currency)),
        format_micros(one.cost_micros, decimals_of(one.cost_currency)),
        "" if margin is None else format_micros(margin, decimals_of(one.revenue_currency)),
        currency,
    )


def _months(query: MarginQuery, zone: ZoneInfo) -> Iterator[tuple[Month, Period]]:
    """The months of the query's days, the first and the last perhaps in part."""
    start = local_midnight(query.first, zone)
    end = local_midnight(query.last + timedelta(days=1), zone)
    while start < end:
        month = month_of(start, zone)
        until = min(month_period(month, zone).end, end)
        yield month, Period(start, until)
        start = until


def _read(
    query: MarginQuery, period: Period, account_ids: Sequence[int], destination_id: int | None
) -> list[tuple[Any, ...]]:
    """By the index on account and start; the retail row of each record is found by the record's unique key."""
    owed = ", ".join(f"'{mode}'" for mode in sorted(NOT_CHARGED))
    revenue = whole(f"SUM(CASE WHEN r.mode IN ({owed}) THEN 0 ELSE r.cost_micros END)")
    narrowed, more = "", []
    if query.run:
        narrowed, more = " AND d.run = %s", [query.run]
    if destination_id is not None:
        narrowed += " AND r.destination_id = %s"
        more.append(str(destination_id))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT d.run, t.code, a.number, d.service_id, r.destination_id, COUNT(*),"
            f" {whole('SUM(r.`usage`)')}, {revenue}, p.currency, {whole('SUM(d.cost_micros)')}, a.currency"
            " FROM mediation_cdr d JOIN mediation_cdr r"
            " ON r.source_id = d.source_id AND r.record_id = d.record_id AND r.run = %s"
            f" JOIN {ACCOUNTS} a ON a.id = d.account_id JOIN {ACCOUNTS} p ON p.id = r.account_id"
            f" JOIN {TENANTS} t ON t.id = a.tenant_id"
            f" WHERE d.account_id IN ({marks(account_ids)}) AND d.run <> '{DEFAULT_RUN}' AND d.run <> r.run"
            f" AND d.start >= %s AND d.start < %s{narrowed}"
            " GROUP BY d.run, t.code, a.number, d.service_id, r.destination_id, p.currency, a.currency",
            [
                query.retail,
                *account_ids,
                database_instant(period.start),
                database_instant(period.end),
                *more,
            ],
        )
        return list(cursor.fetchall())
