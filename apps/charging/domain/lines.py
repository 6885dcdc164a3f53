"""Lines: who pays for a subscriber, on which price plans and bundles, and which free units these grant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from apps.charging.domain.policies import QuotaPolicy
from apps.kernel.errors import BssError
from apps.kernel.units import CALLS
from apps.rating.domain.runs import DEFAULT_RUN

UNLIMITED = -1
NO_END = datetime.max.replace(tzinfo=UTC)


class UsageRefused(BssError):
    """A record that cannot be charged to any account; ``code`` says why and goes into suspense as the reason."""


class ServiceInfo(NamedTuple):
    """What the book must know of a service."""

    service_id: int
    category: str
    type_of_record: str


class Grant(NamedTuple):
    """Free units of a service a month: ``units`` in seconds, octets or events, or UNLIMITED."""

    origin: str
    units: int
    included: frozenset[str]
    excluded: frozenset[str]


class PlanPeriod(NamedTuple):
    """A price plan valid for usage that starts in ``[start, end)``, with its free units by service code."""

    start: datetime
    end: datetime
    price_plan_id: int
    subject: str
    grants: Mapping[str, tuple[Grant, ...]]


class BundlePeriod(NamedTuple):
    """A bundle valid for usage that starts in ``[start, end)``."""

    start: datetime
    end: datetime
    grants: Mapping[str, tuple[Grant, ...]]


class Use(NamedTuple):
    """What balances are wanted for: usage of a category and type of record, at times of the tenant's clock."""

    tenant: str
    category: str
    type_of_record: str
    zone: ZoneInfo


class PayingTerms(NamedTuple):
    """On what terms a line pays for a service while a price plan is in force.

    Worked out once and kept with the line, for as long as ``source`` (services and policies as they were read) is the
    same object. ``has_free_units``: the plan, or a bundle at some time, grants units of the service.
    """

    source: object
    service: str
    service_id: int
    plan: PlanPeriod
    policy: QuotaPolicy
    use: Use
    has_free_units: bool

    def begins_at(self, started_at: datetime, reported_at: datetime) -> datetime:
        """When the next piece of usage begins, which decides on price plan and month: a call's with the call."""
        return started_at if self.use.type_of_record in CALLS else reported_at


@dataclass(frozen=True, slots=True)
class Line:
    """A subscriber as charging sees one: who pays, in which tenant, on which plans.

    ``trigger_set_id`` is that of its account. ``charging_mode`` is how the account's records are charged, where not as
    usual (lines of records alone). ``terms`` are those worked out for it so far, by service code.
    """

    subscriber_id: int
    account_id: int
    prepaid: bool
    tenant: str
    zone: ZoneInfo
    plans: tuple[PlanPeriod, ...]
    bundles: tuple[BundlePeriod, ...] = ()
    trigger_set_id: int | None = None
    charging_mode: str = ""
    terms: dict[str, PayingTerms] = field(default_factory=dict, compare=False, repr=False)

    def plan_at(self, start: datetime) -> PlanPeriod | None:
        """The price plan that is in force at ``start``, or None."""
        for plan in self.plans:
            if plan.start <= start < plan.end:
                return plan
        return None

    def grants_at(self, plan: PlanPeriod, service_code: str, start: datetime) -> tuple[Grant, ...]:
        """Free units of the plan and of the bundles in force at ``start``, in order of use."""
        grants = plan.grants.get(service_code, ())
        extra: list[Grant] = []
        for bundle in self.bundles:
            if bundle.start <= start < bundle.end:
                extra.extend(bundle.grants.get(service_code, ()))
        return in_order_of_use((*grants, *extra)) if extra else grants


class Holding(NamedTuple):
    """An MSISDN in a line's hands for ``[start, end)``."""

    start: datetime
    end: datetime
    line: Line


class CounterKey(NamedTuple):
    """Names a monthly counter of free units used; each run of a record counts its own."""

    subscriber_id: int
    year: int
    month: int
    service_id: int
    origin: str
    run: str = DEFAULT_RUN


def in_order_of_use(grants: Iterable[Grant]) -> tuple[Grant, ...]:
    """Unlimited ones first (so that nothing is used up in vain), then those for few destinations, then all others.

    Grants that tie keep the order given: the plan's own before those of bundles.
    """
    return tuple(
        sorted(grants, key=lambda grant: (grant.units != UNLIMITED, not (grant.included or grant.excluded)))
    )
