"""Who pays for a record, what of it is free, and what that leaves: a batch's working state as plain values.

The book is filled for one batch while the rows behind it are locked, charges records in the order they
are given, and is written back with the batch. Nothing here knows a database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from apps.charging.domain.lines import (
    NO_END,
    UNLIMITED,
    CounterKey,
    Holding,
    Line,
    PlanPeriod,
    ServiceInfo,
    UsageRefused,
)
from apps.kernel.periods import Period, local_midnight, month_of, month_period
from apps.rating.domain import Allowance, RatedUsage, Rater, Usage
from apps.rating.domain.runs import DEFAULT_RUN

# Bypasses the NamedTuple's Python-level constructor; the fields are in their order.
_new_usage: Callable[[type[Usage], tuple[object, ...]], Usage] = tuple.__new__
_new_allowance: Callable[[type[Allowance], tuple[object, ...]], Allowance] = tuple.__new__


# Ids of subscriber, account, service and price plan.
ChargedTo = tuple[int, int, int, int]


class ChargedUsage(NamedTuple):
    """A record's price and who pays it. Usage figures are seconds, octets or events."""

    subscriber_id: int
    account_id: int
    service_id: int
    price_plan_id: int
    destination: str
    cost_micros: int
    free_usage: int
    billed_usage: int


@dataclass(slots=True)
class _MonthFinder:
    """The calendar month of an instant in a zone, remembering the month last found."""

    zone: ZoneInfo
    period: Period = field(default_factory=lambda: Period(NO_END, NO_END))
    year: int = 0
    month: int = 0

    def find(self, instant: datetime) -> tuple[int, int]:
        if not (self.period.start <= instant < self.period.end):
            month = month_of(instant, self.zone)
            self.period = month_period(month, self.zone)
            self.year, self.month = month
        return self.year, self.month


@dataclass(slots=True)
class _DayFinder:
    """The calendar day of an instant in a zone, remembering the day last found."""

    zone: ZoneInfo
    start: datetime = NO_END
    end: datetime = NO_END
    day: date = date.min

    def find(self, instant: datetime) -> date:
        if not (self.start <= instant < self.end):
            self.day = instant.astimezone(self.zone).date()
            self.start = local_midnight(self.day, self.zone)
            self.end = local_midnight(self.day + timedelta(days=1), self.zone)
        return self.day


@dataclass(slots=True)
class Debit:
    """What a prepaid account owes for one day's usage, and when the last of it started."""

    amount_micros: int
    last_start: datetime


_new_charged: Callable[[type[ChargedUsage], tuple[object, ...]], ChargedUsage] = tuple.__new__


class _Counter:
    """Free units used so far, found once and kept at hand; its key is looked up again only when it changes."""

    __slots__ = ("key", "used")

    def __init__(self, key: CounterKey, used: int) -> None:
        self.key, self.used = key, used


# A counter and its grant: units, included and excluded destinations.
_Granted = tuple[_Counter, int, frozenset[str], frozenset[str]]
# On what terms a service is charged: how a Usage begins, to whom, and the grants in order of use.
_Terms = tuple[tuple[str, str, str, str], ChargedTo, tuple[_Granted, ...]]


@dataclass(frozen=True, slots=True)
class _Number:
    """Whose a number is and on which plan from ``since`` to ``until``, and the terms of each service met."""

    since: datetime
    until: datetime
    line: Line
    plan: PlanPeriod | None
    year: int
    month: int
    prepaid: bool
    terms: dict[str, _Terms]


@dataclass(slots=True)
class UsageBook:
    """The state of a batch.

    ``counters`` holds the free units used so far, ``stored`` the row of each that there was when the book was filled;
    ``debits`` what prepaid accounts owe, by account and local day. All of it is of one ``run`` of the records.
    """

    services: Mapping[str, ServiceInfo]
    holdings: Mapping[str, tuple[Holding, ...]]
    counters: dict[CounterKey, int]
    stored: Mapping[CounterKey, int] = field(default_factory=dict)
    changed: set[CounterKey] = field(default_factory=set)
    debits: dict[tuple[int, date], Debit] = field(default_factory=dict)
    run: str = DEFAULT_RUN
    _numbers: dict[str, _Number] = field(default_factory=dict)
    # Two numbers of a subscriber, or a number before and after a change of plan, share their counters.
    _counters: dict[CounterKey, _Counter] = field(default_factory=dict)
    _months: dict[str, _MonthFinder] = field(default_factory=dict)
    _days: dict[str, _DayFinder] = field(default_factory=dict)

    @property
    def has_modes(self) -> bool:
        """Whether records of some account are not charged as usual."""
        return any(holding.line.charging_mode for holdings in self.holdings.values() for holding in holdings)

    def line_of(self, msisdn: str, start: datetime) -> Line | None:
        """The line that held ``msisdn`` at ``start``, or None."""
        for holding in self.holdings.get(msisdn, ()):
            if holding.start <= start < holding.end:
                return holding.line
        return None

    def charge(
        self, rater: Rater, msisdn: str, service_code: str, other_party: str, start: datetime, amount: int
    ) -> ChargedUsage:
        """Price a record, take free units first, and remember both for the next record.

        Raises UsageRefused (``unknown_subscriber``, ``unknown_service``, ``no_price_plan``) or the Rater's
        RatingError; the book is unchanged then.
        """
        charged_to, rated = self.rate(rater, msisdn, service_code, other_party, start, amount)
        return _new_charged(
            ChargedUsage,
            (*charged_to, rated.destination, rated.cost_micros, rated.free_usage, rated.billed_usage),
        )

    def rate(
        self, rater: Rater, msisdn: str, service_code: str, other_party: str, start: datetime, amount: int
    ) -> tuple[ChargedTo, RatedUsage]:
        """:meth:`charge` for loops over many records that pick their fields from the answer."""
        number = self._numbers.get(msisdn)
        if number is None or not number.since <= start < number.until:
            number = self._number_at(msisdn, start)
        terms = number.terms.get(service_code)
        if terms is None:
            terms = self._terms_of(number, msisdn, service_code, start)
        priced_as, charged_to, grants = terms
        usage = _new_usage(Usage, (*priced_as, other_party, start, amount))
        allowances = []
        if grants:
            for index, (counter, units, included, excluded) in enumerate(grants):
                if units != UNLIMITED:
                    units -= counter.used
                    if units <= 0:
                        continue
                allowances.append(_new_allowance(Allowance, (index, units, included, excluded)))
        if allowances:
            rated, taken = rater.rate_with_allowances(usage, allowances)
            for place, units in taken:
                if units:
                    counter = grants[int(place)][0]
                    counter.used += units
                    self.counters[counter.key] = counter.used
                    self.changed.add(counter.key)
        else:
            rated = rater.rate(usage)
        cost_micros = rated.cost_micros
        if cost_micros and number.prepaid:
            self.debit(number.line.account_id, number.line.zone, start, cost_micros)
        return charged_to, rated

    def price(
        self, rater: Rater, msisdn: str, service_code: str, other_party: str, start: datetime, amount: int
    ) -> tuple[ChargedTo, RatedUsage]:
        """What a record would cost without free units, and whose it is; nothing is charged or remembered.

        Raises as :meth:`charge` does.
        """
        priced_as, charged_to = self.parties(msisdn, service_code, start)
        return charged_to, rater.rate(Usage(*priced_as, other_party, start, amount))

    def parties(
        self, msisdn: str, service_code: str, start: datetime
    ) -> tuple[tuple[str, str, str, str], ChargedTo]:
        """How usage is priced (tenant, category, subject, type of record) and to whom. Raises UsageRefused."""
        number = self._numbers.get(msisdn)
        if number is None or not number.since <= start < number.until:
            number = self._number_at(msisdn, start)
        priced_as, charged_to, _ = number.terms.get(service_code) or self._terms_of(
            number, msisdn, service_code, start
        )
        return priced_as, charged_to

    def use(self, units: Iterable[tuple[CounterKey, int]]) -> None:
        """Count free units as used without charging anything."""
        for key, used in units:
            self.counters[key] = self.counters.get(key, 0) + used
            if key in self._counters:
                self._counters[key].used = self.counters[key]

    def _number_at(self, msisdn: str, start: datetime) -> _Number:
        """Whose ``msisdn`` is at ``start``, remembered for the next record."""
        line = self.line_of(msisdn, start)
        if line is None:
            raise UsageRefused(
                f"no subscriber had the number {msisdn or '(empty)'} at {start:%Y-%m-%d %H:%M:%S} UTC",
                code="unknown_subscriber",
            )
        finder = self._months.get(line.zone.key)
        if finder is None:
            finder = self._months[line.zone.key] = _MonthFinder(line.zone)
        year, month = finder.find(start)
        # All that the terms depend on changes at one of these instants.
        since, until = finder.period.start, finder.period.end
        for periods in (self.holdings[msisdn], line.plans, line.bundles):
            for period in periods:
                for instant in (period.start, period.end):
                    if instant <= start:
                        if since < instant:
                            since = instant
                    elif instant < until:
                        until = instant
        plan = line.plan_at(start)
        number = _Number(since, until, line, plan, year, month, line.prepaid, {})
        self._numbers[msisdn] = number
        return number

    def _terms_of(self, number: _Number, msisdn: str, service_code: str, start: datetime) -> _Terms:
        """On what terms usage of ``service_code`` is charged to the number, remembered for the next record."""
        service = self.services.get(service_code)
        if service is None:
            raise UsageRefused(
                f"there is no service “{service_code}”; known are {', '.join(sorted(self.services))}",
                code="unknown_service",
            )
        line, plan = number.line, number.plan
        if plan is None:
            raise UsageRefused(
                f"the subscriber of {msisdn} had no price plan at {start:%Y-%m-%d %H:%M:%S} UTC",
                code="no_price_plan",
            )
        granted = []
        for origin, units, included, excluded in line.grants_at(plan, service_code, start):
            key = CounterKey(
                line.subscriber_id, number.year, number.month, service.service_id, origin, self.run
            )
            counter = self._counters.get(key)
            if counter is None:
                counter = self._counters[key] = _Counter(key, self.counters.get(key, 0))
            granted.append((counter, units, included, excluded))
        terms = number.terms[service_code] = (
            (line.tenant, service.category, plan.subject, service.type_of_record),
            (line.subscriber_id, line.account_id, service.service_id, plan.price_plan_id),
            tuple(granted),
        )
        return terms

    def debit(self, account_id: int, zone: ZoneInfo, start: datetime, amount_micros: int) -> None:
        """Remember that an account, whose days are those of ``zone``, owes an amount for usage from ``start`` on."""
        finder = self._days.get(zone.key)
        if finder is None:
            finder = self._days[zone.key] = _DayFinder(zone)
        key = (account_id, finder.find(start))
        debit = self.debits.get(key)
        if debit is None:
            self.debits[key] = Debit(amount_micros, start)
        else:
            debit.amount_micros += amount_micros
            debit.last_start = max(debit.last_start, start)
