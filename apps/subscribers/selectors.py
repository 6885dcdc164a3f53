"""Reads of the subscribers room."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from apps.storage.bulk import database_instant
from apps.storage.reads import instant_read, select_in
from apps.subscribers.models import Resource

IDS_A_QUERY = 5_000


def in_portions(values: Collection[str] | Collection[int], size: int = IDS_A_QUERY) -> Iterator[list]:
    """``values`` in ascending order, a bounded list at a time: one query's worth of parameters."""
    ordered = sorted(values)
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]


def msisdn_holdings(
    msisdns: Collection[str], first: datetime, last: datetime
) -> list[tuple[str, int, datetime, datetime | None]]:
    """(MSISDN, subscriber id, start, end) of every assignment that holds an instant of ``[first, last]``."""
    return _periods(
        "SELECT resource.value, held.subscriber_id, CAST(held.start AS CHAR), CAST(held.`end` AS CHAR)"
        " FROM subscribers_resource resource"
        " JOIN subscribers_resourceassignment held ON held.resource_id = resource.id"
        f" WHERE resource.kind = '{Resource.Kind.MSISDN.value}' AND resource.value IN ({{values}})",
        msisdns,
        first,
        last,
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
    """What ``sql`` finds for ``values``, of that what is ``held`` at some instant of ``[first, last]``."""
    within = (
        f" AND held.start <= '{database_instant(last)}'"
        f" AND (held.`end` IS NULL OR held.`end` > '{database_instant(first)}')"
    )
    return [
        (value, other_id, instant_read(start), None if end is None else instant_read(end))
        for value, other_id, start, end in select_in(sql + within, values)
    ]
