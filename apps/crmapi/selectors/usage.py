"""What subscribers used: records, free units, and prices of what they might use."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from apps.crmapi.domain.usage import Price, PriceEnquiry, UsageData, UsageRecord

MONTHS_OF_USAGE = 3


def subscriber_usage(
    tenant: str,
    subscriber_id: int,
    *,
    now: datetime,
    start: datetime | None = None,
    end: datetime | None = None,
    service: str = "",
    limit: int = 0,
) -> Iterator[UsageRecord]:
    """Rated records of a subscriber, oldest first, those that start in ``[start, end)``; read a page at a time.

    Without ``start``: this month and the two before, in the tenant's time zone. Earlier ones are asked for by ``start``.
    Raises NotFound, InvalidInput (unknown service, end before start) at once.
    """
    raise NotImplementedError


def usage_page(
    tenant: str,
    subscriber_id: int,
    *,
    now: datetime,
    start: datetime | None = None,
    end: datetime | None = None,
    service: str = "",
    after: tuple[datetime, int] | None = None,
    limit: int = 100,
) -> list[UsageRecord]:
    """One page of the same, after the (start, id) of the last record seen; 1 to 1000 records."""
    raise NotImplementedError


def usage_data(tenant: str, subscriber_id: int, *, now: datetime, year: int = 0, month: int = 0) -> UsageData:
    """Free units granted, used and left, and usage by service, of a month (this one when 0) in the tenant's zone.

    Raises NotFound, InvalidInput (month).
    """
    raise NotImplementedError


def price_enquiry(tenant: str, enquiry: PriceEnquiry, *, now: datetime) -> Price:
    """What usage would cost, and why. Nothing is charged; free units are left out of it.

    Raises InvalidInput (service, usage, position), NotFound (msisdn, price_plan, no tariff), RatingError where there is
    no price (a BssError whose code says why: unauthorised_destination, no_rating_profile, …).
    """
    raise NotImplementedError
