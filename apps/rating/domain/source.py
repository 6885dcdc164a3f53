"""A tariff as it is written down: the values that files and rows are read into and tariffs are compiled from.

Ids refer to each other within one TariffPlan (CGRateS: TPid). Amounts are plain decimal text of the
currency unit, kept exactly as written because rates may be finer than a micro-unit.
"""

from __future__ import annotations

from typing import NamedTuple

from apps.kernel.units import SECONDS_PER_DAY

ANY = "*any"
SHARED_TARIFF_PLAN = "*shared"
PRICE_PLAN_SUBJECT = "*plan:"


class Timing(NamedTuple):
    """Days and a time of day at which rates apply. An empty tuple means every one; weekdays are 1–7 from Monday.

    It holds from ``start_s`` to ``end_s`` on the local clock (seconds of the day).
    """

    id: str
    years: tuple[int, ...] = ()
    months: tuple[int, ...] = ()
    month_days: tuple[int, ...] = ()
    weekdays: tuple[int, ...] = ()
    start_s: int = 0
    end_s: int = SECONDS_PER_DAY


class Destination(NamedTuple):
    """A named set of number prefixes."""

    id: str
    prefixes: tuple[str, ...]


class RateSlot(NamedTuple):
    """From ``group_start`` units of a session on: ``rate`` for each ``unit``, billed by ``increment``."""

    group_start: int
    connect_fee: str
    rate: str
    unit: int
    increment: int


class Rate(NamedTuple):
    """Slots under one id, in the order of the file; the first row carries the connect fee.

    With ``nanoseconds`` the slots' start, unit and increment count billionths of a second (octet, event), because one
    of them is no whole number of seconds.
    """

    id: str
    slots: tuple[RateSlot, ...]
    nanoseconds: bool = False


class DestinationRate(NamedTuple):
    """Under ``id``, the rate of one destination (or ``*any``), its rounding and its maximum cost (0 = none)."""

    id: str
    destination_id: str
    rate_id: str
    rounding_method: str = "*middle"
    rounding_decimals: int = 0
    max_cost: str = "0"
    max_cost_strategy: str = ""


class RatingPlanEntry(NamedTuple):
    """Under ``id``, a group of destination rates that applies at a timing (or ``*any``), by weight."""

    id: str
    destination_rates_id: str
    timing_id: str
    weight: str = "0"


class RatingProfile(NamedTuple):
    """The rating plan of (tenant, category, subject) from ``activation_epoch`` (Unix seconds, UTC) on."""

    tenant: str
    category: str
    subject: str
    activation_epoch: int
    rating_plan_id: str
    fallback_subjects: tuple[str, ...] = ()
    cdr_stat_queues: tuple[str, ...] = ()


class TariffPlan(NamedTuple):
    """A self-contained set of tariff files: one tenant's own (its code), or the one that is shared."""

    code: str
    timings: tuple[Timing, ...] = ()
    destinations: tuple[Destination, ...] = ()
    rates: tuple[Rate, ...] = ()
    destination_rates: tuple[DestinationRate, ...] = ()
    rating_plans: tuple[RatingPlanEntry, ...] = ()
    rating_profiles: tuple[RatingProfile, ...] = ()


class ServicePrice(NamedTuple):
    """What one unit of sale (``unit_size`` base units) of a category costs under a price plan."""

    category: str
    unit_size: int
    price_micros: int


class PricePlan(NamedTuple):
    """A µBSS price plan: flat prices a category; the rest is priced as ``rating_subject`` (empty: not at all).

    ``expires_on`` (ISO date in the tenant's time zone) is the first day on which usage may not begin.
    """

    tenant: str
    code: str
    rating_subject: str = ""
    expires_on: str | None = None
    prices: tuple[ServicePrice, ...] = ()


class TariffSource(NamedTuple):
    """Everything that prices depend on; ``tenants`` are (code, IANA time zone) pairs."""

    tenants: tuple[tuple[str, str], ...] = ()
    tariff_plans: tuple[TariffPlan, ...] = ()
    price_plans: tuple[PricePlan, ...] = ()


def plan_subject(price_plan_code: str) -> str:
    """The rating subject of a price plan's subscribers: ``*plan:<code>``."""
    return PRICE_PLAN_SUBJECT + price_plan_code
