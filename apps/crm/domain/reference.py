"""Reference data and statistics as plain values; money in micro-units, days of the tenant's time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class ServiceView:
    """A service; ``unit_size`` seconds, octets or events are one unit of sale."""

    id: int
    code: str
    name: str
    type_of_record: str
    unit_size: int
    unit_label: str
    retired: bool


@dataclass(frozen=True, slots=True)
class ServiceTermsView:
    """A service within a plan or bundle. ``price_micros`` a unit of sale, None = by the plan's rating subject.

    ``free_units`` are units of sale a month, −1 unlimited.
    """

    service_id: int
    service: str
    price_micros: int | None
    free_units: int


@dataclass(frozen=True, slots=True)
class PricePlanView:
    id: int
    code: str
    name: str
    currency: str
    monthly_fee_micros: int
    expiration_date: date | None
    rating_subject: str
    retired: bool
    services: tuple[ServiceTermsView, ...]


@dataclass(frozen=True, slots=True)
class BundleView:
    id: int
    code: str
    name: str
    currency: str
    monthly_fee_micros: int
    retired: bool
    services: tuple[ServiceTermsView, ...]


@dataclass(frozen=True, slots=True)
class CycleView:
    number: int
    name: str
    day: int
    time_zone: str
    currency: str
    retired: bool


@dataclass(frozen=True, slots=True)
class ReferenceData:
    """What front ends fill their choices from, for one tenant, as it was at ``read_at`` (at most 60 s ago)."""

    tenant_id: int
    tenant: str
    tenant_name: str
    time_zone: str
    currency: str
    locale: str
    services: tuple[ServiceView, ...]
    price_plans: tuple[PricePlanView, ...]
    bundles: tuple[BundleView, ...]
    cycles: tuple[CycleView, ...]
    currencies: tuple[str, ...]
    cities: tuple[str, ...]
    """Of the tenant's customers, for the filter of lists; at most 500."""
    read_at: datetime


@dataclass(frozen=True, slots=True)
class UsageStatistics:
    """Records, usage and revenue of one day, service and price plan."""

    day: date
    service: str
    price_plan: str
    currency: str
    records: int
    usage: int
    free_usage: int
    revenue_micros: int


@dataclass(frozen=True, slots=True)
class SubscriberStatistics:
    """Subscribers of one day and price plan: active at its end, new and terminated on it."""

    day: date
    price_plan: str
    active: int
    new: int
    terminated: int


@dataclass(frozen=True, slots=True)
class TopUpStatistics:
    """Top-ups of one day and currency."""

    day: date
    currency: str
    count: int
    amount_micros: int


@dataclass(frozen=True, slots=True)
class Statistics:
    """What the timer has collected for days from ``first`` to ``last`` (both included)."""

    first: date
    last: date
    collected_at: datetime | None
    """When the timer last looked; None = never yet."""
    usage: tuple[UsageStatistics, ...]
    subscribers: tuple[SubscriberStatistics, ...]
    top_ups: tuple[TopUpStatistics, ...]
