"""Subscribers: one, many at once, lists of any length in bounded memory, and free numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from django.db.models import Q, QuerySet

from apps.charging.models import Account
from apps.crm.domain.subscribers import FreeResource, SubscriberFilter, SubscriberView
from apps.crm.selectors.rows import ROWS_A_PAGE, checked_choice, checked_limit, checked_not_negative
from apps.crm.selectors.subscriber_rows import (
    MSISDN,
    SubscriberRows,
    subscriber_rows,
    subscriber_views,
)
from apps.crm.selectors.tenants import TenantInfo, tenant_of
from apps.kernel.errors import InvalidInput, NotFound
from apps.rating.models import PricePlan
from apps.subscribers.models import Resource, Subscriber
from apps.subscribers.selectors import holders_at


class SubscriberKey(NamedTuple):
    """One subscriber of a tenant, by ``id`` or, if that is 0, by the ``msisdn`` it holds now (“+” allowed)."""

    tenant: str
    id: int = 0
    msisdn: str = ""


def get_subscriber(tenant: str, *, now: datetime, subscriber_id: int = 0, msisdn: str = "") -> SubscriberView:
    """A subscriber by id or MSISDN.

    Raises InvalidInput (neither or both given) or NotFound; one of another tenant is not found. A terminated one is
    found by id only.
    """
    if bool(subscriber_id) == bool(msisdn):
        raise InvalidInput("give the subscriber's id or its MSISDN, one of them", where="id")
    owner = tenant_of(tenant)
    if not subscriber_id:
        number = plain_msisdn(msisdn)
        found_id = holders_at(MSISDN, [number], now).get((owner.id, number))
        if found_id is None:
            raise NotFound(f"no subscriber has the MSISDN {number}", code="unknown_msisdn", where="msisdn")
        subscriber_id = found_id
    found = subscriber_views([subscriber_id], now).get(subscriber_id)
    if found is None or found[0] != owner.id:
        raise no_subscriber(subscriber_id)
    return found[1]


class FoundSubscribers:
    """The rows read for some keys; :meth:`views` needs no database."""

    def __init__(self, wanted: Sequence[tuple[int, int]], rows: SubscriberRows) -> None:
        self._wanted, self._rows = wanted, rows

    def views(self) -> list[SubscriberView | None]:
        """A subscriber for each key, in their order; None where :func:`get_subscriber` finds none."""
        views = self._rows.views()
        found: list[SubscriberView | None] = []
        for owner_id, pk in self._wanted:
            view = views.get(pk)
            found.append(view[1] if view is not None and view[0] == owner_id else None)
        return found


def get_subscribers(keys: Sequence[SubscriberKey], *, now: datetime) -> FoundSubscribers:
    """Many at once, of any tenants, with a constant number of queries.

    For a server that answers together calls which came together. A key without id and MSISDN, or of a tenant that
    does not exist, finds nothing.
    """
    owners: dict[str, TenantInfo | None] = {}
    for code in {key.tenant for key in keys}:
        try:
            owners[code] = tenant_of(code)
        except NotFound:
            owners[code] = None
    numbers = {plain_msisdn(key.msisdn) for key in keys if not key.id and key.msisdn}
    holders = holders_at(MSISDN, numbers, now)
    wanted: list[tuple[int, int]] = []
    for key in keys:
        owner = owners[key.tenant]
        if owner is None:
            wanted.append((0, 0))
        else:
            wanted.append((owner.id, key.id or holders.get((owner.id, plain_msisdn(key.msisdn)), 0)))
    return FoundSubscribers(wanted, subscriber_rows({pk for _, pk in wanted if pk}, now))


def list_subscribers(
    tenant: str,
    wanted: SubscriberFilter = SubscriberFilter(),  # noqa: B008 - it is frozen
    *,
    now: datetime,
    after_id: int = 0,
    limit: int = 0,
    offset: int = 0,
) -> Iterator[SubscriberView]:
    """Subscribers in the order of their ids, read a page of 500 at a time by key; ``limit`` 0 = all.

    ``after_id`` is the last id that was seen (a cursor); ``offset`` skips so many. What changes meanwhile is seen or
    not, none is seen twice. Raises InvalidInput at once (not at the first element) for a filter that cannot be.
    """
    checked_not_negative(after_id=after_id, limit=limit, offset=offset)
    rows = _filtered(tenant_of(tenant), wanted, now)
    return _views_of(rows, now, after_id, limit, offset)


def free_resources(
    tenant: str, kind: str, *, prefix: str = "", after: str = "", limit: int = 100
) -> list[FreeResource]:
    """Free numbers or devices of the pool, ascending, those after ``after``; at most 1,000.

    ``kind`` is msisdn, imsi or handset. Raises InvalidInput for another kind or a limit out of 1–1000.
    """
    if not kind:
        raise InvalidInput(f"say which: {', '.join(Resource.Kind.values)}", where="kind")
    checked_choice(kind, Resource.Kind.values, "kind")
    rows = Resource.objects.filter(
        tenant_id=tenant_of(tenant).id, kind=kind, status=Resource.Status.FREE
    ).order_by("value")
    if prefix:
        rows = rows.filter(value__startswith=prefix.removeprefix("+"))
    if after:
        rows = rows.filter(value__gt=after)
    return [FreeResource(*row) for row in rows.values_list("pk", "kind", "value")[: checked_limit(limit)]]


def own_subscriber(tenant: str, subscriber_id: int) -> Subscriber:
    """The row of a tenant's subscriber, for the room's use cases. Raises NotFound."""
    found = Subscriber.objects.filter(pk=subscriber_id, tenant_id=tenant_of(tenant).id).first()
    if found is None:
        raise no_subscriber(subscriber_id)
    return found


def plain_msisdn(text: str) -> str:
    """An MSISDN without what people write around its digits: a leading “+” or “00”, spaces, dashes."""
    plain = text.strip().replace(" ", "").replace("-", "").removeprefix("+")
    return plain.removeprefix("00")


def no_subscriber(subscriber_id: int) -> NotFound:
    return NotFound(f"there is no subscriber {subscriber_id}", where="id")


def _filtered(tenant: TenantInfo, wanted: SubscriberFilter, now: datetime) -> QuerySet[Subscriber]:
    checked_choice(wanted.mode, Account.Mode.values, "mode")
    checked_choice(wanted.status, Subscriber.Status.values, "status")
    rows = Subscriber.objects.filter(tenant_id=tenant.id)
    if wanted.status:
        rows = rows.filter(status=wanted.status)
    if wanted.mode:
        rows = rows.filter(payer__account__mode=wanted.mode)
    if wanted.account_number:
        rows = rows.filter(payer__account__number=wanted.account_number)
    if wanted.city:
        rows = rows.filter(customer__city=wanted.city)
    if wanted.customer_number:
        rows = rows.filter(customer__number=wanted.customer_number)
    if wanted.price_plan_id or wanted.price_plan:
        plan_id = _plan_id(tenant, wanted)
        rows = rows.filter(
            Q(plans__end__isnull=True) | Q(plans__end__gt=now),
            plans__price_plan_id=plan_id,
            plans__start__lte=now,
        )
    return rows


def _plan_id(tenant: TenantInfo, wanted: SubscriberFilter) -> int:
    plans = PricePlan.objects.filter(tenant_id=tenant.id)
    if wanted.price_plan_id:
        plans = plans.filter(pk=wanted.price_plan_id)
    if wanted.price_plan:
        plans = plans.filter(code=wanted.price_plan)
    found = plans.values_list("pk", flat=True).first()
    if found is None:
        raise InvalidInput(
            f"there is no price plan {wanted.price_plan_id or ''}{wanted.price_plan}", where="price_plan"
        )
    return int(found)


def _views_of(
    rows: QuerySet[Subscriber], now: datetime, after_id: int, limit: int, offset: int
) -> Iterator[SubscriberView]:
    left = limit
    while True:
        count = min(ROWS_A_PAGE, left) if limit else ROWS_A_PAGE
        page = rows.filter(pk__gt=after_id) if after_id else rows
        ids = list(page.order_by("pk").values_list("pk", flat=True)[offset : offset + count])
        views = subscriber_views(ids, now)
        for pk in ids:
            if pk in views:
                yield views[pk][1]
        left -= count
        if len(ids) < count or (limit and left <= 0):
            return
        after_id, offset = ids[-1], 0
