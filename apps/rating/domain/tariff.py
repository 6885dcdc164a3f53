"""The compiled tariff: an immutable snapshot in which every lookup is a dictionary away."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from itertools import groupby
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from apps.kernel.errors import InvalidInputs, Problem
from apps.kernel.money import format_micros
from apps.kernel.periods import local_midnight
from apps.rating.domain import source as src
from apps.rating.domain.rates import CompiledRate
from apps.rating.domain.source import ANY, SHARED_TARIFF_PLAN, TariffSource
from apps.rating.domain.timings import Schedule

ALWAYS = src.Timing(ANY)


class DestinationKey(NamedTuple):
    """A destination of one tariff plan; ids of different tariff plans never meet."""

    tariff_plan: str
    id: str


class PlanRates:
    """What a rating plan has for one destination: weighted timings, each with its rate."""

    __slots__ = ("entries", "order", "rates", "schedules", "weight")

    def __init__(self, order: int) -> None:
        self.order = order
        self.schedules: dict[str, Schedule] = {}
        self.entries: tuple[tuple[src.Timing, Decimal], ...] = ()
        self.rates: tuple[CompiledRate, ...] = ()
        self.weight = Decimal(0)

    @property
    def precedence(self) -> tuple[Decimal, int]:
        """Among destinations that share a prefix the highest weight wins, then the first in the plan."""
        return self.weight, -self.order

    def add(self, timing: src.Timing, weight: Decimal, rate: CompiledRate) -> None:
        self.weight = max(self.weight, weight) if self.entries else weight
        self.entries += ((timing, weight),)
        self.rates += (rate,)


class CompiledPlan:
    """A rating plan: its rates by destination; ``any_rates`` serve every other number."""

    __slots__ = ("any_rates", "by_destination", "id")

    def __init__(self, plan_id: str) -> None:
        self.id = plan_id
        self.by_destination: dict[DestinationKey, PlanRates] = {}
        self.any_rates: PlanRates | None = None


class Activation(NamedTuple):
    """From ``since`` (Unix seconds) on, a profile has this plan and these fallback subjects."""

    since: int
    plan: CompiledPlan
    fallback_subjects: tuple[str, ...]


class Profile:
    """The activations of one (tenant, category, subject), earliest first."""

    __slots__ = ("activations", "subject")

    def __init__(self, subject: str, activations: tuple[Activation, ...]) -> None:
        self.subject = subject
        self.activations = activations


class PricePlanTerms(NamedTuple):
    """Who prices what a price plan does not, and from when (Unix seconds) it prices nothing any more."""

    rating_subject: str
    expires_epoch: int | None


class Tariff:
    """See :func:`compile_tariff`. Treat as immutable; one may be shared by any number of Raters."""

    __slots__ = (
        "plus_prefixes",
        "prefix_lengths",
        "prefixes",
        "price_plans",
        "profiles",
        "schedules",
        "zones",
    )

    def __init__(self) -> None:
        self.zones: dict[str, ZoneInfo] = {}
        self.prefixes: dict[str, tuple[DestinationKey, ...]] = {}
        self.prefix_lengths: tuple[int, ...] = ()
        self.plus_prefixes: set[str] = set()
        self.profiles: dict[tuple[str, str, str], Profile] = {}
        self.price_plans: dict[tuple[str, str], PricePlanTerms] = {}
        self.schedules: dict[tuple[object, str], Schedule] = {}

    def longest_prefix(self, number: str) -> str:
        """The longest prefix of any destination that ``number`` begins with; empty if there is none."""
        if number[:1] == "+":
            number = number[1:]
        prefixes = self.prefixes
        length = len(number)
        for candidate in self.prefix_lengths:
            if candidate <= length and number[:candidate] in prefixes:
                return number[:candidate]
        return ""

    def prefixes_of(self, longest: str) -> Iterator[tuple[str, tuple[DestinationKey, ...]]]:
        """The known prefixes of a known prefix with their destinations, longest (itself) first."""
        while longest:
            keys = self.prefixes.get(longest)
            if keys is not None:
                yield longest, keys
            longest = longest[:-1]

    def schedule(self, rates: PlanRates, tenant: str) -> Schedule:
        """The timings of ``rates`` on the tenant's clock; shared by all destinations with the same timings."""
        zone = self.zones[tenant]
        schedule = rates.schedules.get(zone.key)
        if schedule is None:
            key = (rates.entries, zone.key)
            schedule = self.schedules.get(key) or Schedule(rates.entries, zone)
            rates.schedules[zone.key] = self.schedules[key] = schedule
        return schedule

    def written(self, prefix: str) -> str:
        """A matched prefix as its file wrote it (with its “+”, if it had one)."""
        return "+" + prefix if prefix in self.plus_prefixes else prefix

    def visible(self, key: DestinationKey, tenant: str) -> bool:
        """Whether the tenant may refer to the destination: its own tariff plan's or a shared one's."""
        return key.tariff_plan in (SHARED_TARIFF_PLAN, tenant)


def compile_tariff(source: TariffSource) -> Tariff:
    """Compile a tariff; raises InvalidInputs with every reference that leads nowhere."""
    compiler = _Compiler()
    for code, zone in source.tenants:
        compiler.add_tenant(code, zone)
    for tariff_plan in source.tariff_plans:
        compiler.add_tariff_plan(tariff_plan)
    for price_plan in source.price_plans:
        compiler.add_price_plan(price_plan)
    return compiler.finish()


class _Compiler:
    def __init__(self) -> None:
        self.tariff = Tariff()
        self.problems: list[Problem] = []
        self.activations: dict[tuple[str, str, str], dict[int, Activation]] = {}

    def problem(self, where: str, message: str) -> None:
        self.problems.append(Problem(where, message, "unknown_reference"))

    def add_tenant(self, code: str, zone: str) -> None:
        try:
            self.tariff.zones[code] = ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError):
            self.problem(f"tenant {code}", f"“{zone}” is not an IANA time zone; write it like Europe/Berlin")

    def add_tariff_plan(self, plan: src.TariffPlan) -> None:
        self._add_destinations(plan)
        plans = self._rating_plans(plan)
        for profile in plan.rating_profiles:
            where = f"rating profile {profile.tenant}/{profile.category}/{profile.subject}"
            if profile.tenant not in self.tariff.zones:
                self.problem(where, f"tenant “{profile.tenant}” does not exist")
            elif profile.rating_plan_id not in plans:
                self.problem(where, f"rating plan “{profile.rating_plan_id}” does not exist")
            else:
                key = (profile.tenant, profile.category, profile.subject)
                self.activations.setdefault(key, {})[profile.activation_epoch] = Activation(
                    profile.activation_epoch, plans[profile.rating_plan_id], profile.fallback_subjects
                )

    def _add_destinations(self, plan: src.TariffPlan) -> None:
        prefixes = self.tariff.prefixes
        for destination in plan.destinations:
            key = DestinationKey(plan.code, destination.id)
            alone = (key,)
            for prefix in destination.prefixes:
                if prefix[0] == "+":
                    prefix = prefix[1:]
                    self.tariff.plus_prefixes.add(prefix)
                known = prefixes.get(prefix)
                prefixes[prefix] = alone if known is None else known + alone

    def _rating_plans(self, plan: src.TariffPlan) -> dict[str, CompiledPlan]:
        timings = {ANY: ALWAYS} | {timing.id: timing for timing in plan.timings}
        destinations = {destination.id for destination in plan.destinations}
        rates = {rate.id: rate for rate in plan.rates}
        groups: dict[str, list[tuple[str, CompiledRate]]] = {}
        for terms in plan.destination_rates:
            group = groups.setdefault(terms.id, [])
            where = f"destination rate {terms.id}"
            if terms.rate_id not in rates:
                self.problem(where, f"rate “{terms.rate_id}” does not exist")
            elif terms.destination_id != ANY and terms.destination_id not in destinations:
                self.problem(where, f"destination “{terms.destination_id}” does not exist")
            elif not rates[terms.rate_id].slots:
                self.problem(where, f"rate “{terms.rate_id}” has no slot; add one")
            else:
                group.append((terms.destination_id, CompiledRate(rates[terms.rate_id], terms)))
        compiled: dict[str, CompiledPlan] = {}
        for order, entry in enumerate(plan.rating_plans):
            rating_plan = compiled.setdefault(entry.id, CompiledPlan(entry.id))
            where = f"rating plan {entry.id}"
            if entry.destination_rates_id not in groups:
                self.problem(where, f"destination rate “{entry.destination_rates_id}” does not exist")
            elif entry.timing_id not in timings:
                self.problem(where, f"timing “{entry.timing_id}” does not exist")
            else:
                timing, weight = timings[entry.timing_id], Decimal(entry.weight)
                for destination_id, rate in groups[entry.destination_rates_id]:
                    _rates_for(rating_plan, plan.code, destination_id, order).add(timing, weight, rate)
        return compiled

    def add_price_plan(self, plan: src.PricePlan) -> None:
        subject = src.plan_subject(plan.code)
        zone = self.tariff.zones.get(plan.tenant)
        if zone is None:
            self.problem(f"price plan {plan.code}", f"tenant “{plan.tenant}” does not exist")
            return
        expires = None
        if plan.expires_on is not None:
            expires = int(local_midnight(date.fromisoformat(plan.expires_on), zone).timestamp())
        self.tariff.price_plans[plan.tenant, subject] = PricePlanTerms(plan.rating_subject, expires)
        for category, prices in groupby(plan.prices, key=lambda price: price.category):
            price = next(prices)
            row = src.RateSlot(0, "0", format_micros(price.price_micros), price.unit_size, price.unit_size)
            rate = CompiledRate(
                src.Rate(category, (row,)), src.DestinationRate(f"{plan.code}:{category}", ANY, category)
            )
            compiled = CompiledPlan(subject)
            compiled.any_rates = PlanRates(0)
            compiled.any_rates.add(ALWAYS, Decimal(0), rate)
            self.activations[plan.tenant, category, subject] = {0: Activation(0, compiled, ())}

    def finish(self) -> Tariff:
        if self.problems:
            raise InvalidInputs(self.problems)
        tariff = self.tariff
        tariff.prefix_lengths = tuple(sorted({len(prefix) for prefix in tariff.prefixes}, reverse=True))
        for key, activations in self.activations.items():
            tariff.profiles[key] = Profile(key[2], tuple(activations[since] for since in sorted(activations)))
        return tariff


def _rates_for(plan: CompiledPlan, tariff_plan: str, destination_id: str, order: int) -> PlanRates:
    if destination_id == ANY:
        if plan.any_rates is None:
            plan.any_rates = PlanRates(order)
        return plan.any_rates
    key = DestinationKey(tariff_plan, destination_id)
    rates = plan.by_destination.get(key)
    if rates is None:
        rates = plan.by_destination[key] = PlanRates(order)
    return rates
