"""Subscribers: one, many at once, lists of any length in bounded memory, and free numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from apps.crmapi.domain.subscribers import FreeResource, SubscriberFilter, SubscriberView


class SubscriberKey(NamedTuple):
    """One subscriber of a tenant, by ``id`` or, where that is 0, by the ``msisdn`` it holds now (“+” allowed)."""

    tenant: str
    id: int = 0
    msisdn: str = ""


def get_subscriber(tenant: str, *, now: datetime, subscriber_id: int = 0, msisdn: str = "") -> SubscriberView:
    """A subscriber by id or MSISDN.

    Raises InvalidInput (neither or both given, code invalid_input, where id/msisdn) or NotFound; one of another tenant
    is not found. A terminated one is found by id only.
    """
    raise NotImplementedError


def get_subscribers(keys: Sequence[SubscriberKey], *, now: datetime) -> list[SubscriberView | None]:
    """Many at once, of any tenants, with a constant number of queries; None where :func:`get_subscriber` finds none.

    For a server that answers calls which came in while the last ones were read together (no call waits for others).
    Raises nothing of its own: a key without id and MSISDN is None too.
    """
    raise NotImplementedError


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

    ``after_id`` is the last id that was seen (a cursor); ``offset`` skips so many. What changes meanwhile is seen or not,
    none is seen twice. Raises InvalidInput at once (not at the first element) for a filter that cannot be.
    """
    raise NotImplementedError


def free_resources(
    tenant: str, kind: str, *, prefix: str = "", after: str = "", limit: int = 100
) -> list[FreeResource]:
    """Free numbers or devices of the pool, ascending, those after ``after``; kind msisdn, imsi or handset; at most 1,000.

    Raises InvalidInput for another kind or a limit out of 1–1000.
    """
    raise NotImplementedError
