"""Charging records of a batch: who pays, which free units go first, and their rest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from apps.charging.domain.lines import (
    NO_END,
    UNLIMITED,
    BundlePeriod,
    CounterKey,
    Grant,
    Holding,
    Line,
    PlanPeriod,
    ServiceInfo,
    UsageRefused,
    in_order_of_use,
)
from apps.charging.domain.usage_book import UsageBook
from apps.rating.domain import Allowance, RatingError, Usage

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
NOON = datetime(2026, 5, 20, 12, tzinfo=UTC)
MSISDN = "4915550000001"


class OneMicroAUnit:
    """Prices every unit at one micro-unit, to “DE” or, for numbers with 44, “GB”; 999 cannot be rated."""

    class Rated:
        def __init__(self, destination: str, usage: int, free: int) -> None:
            self.destination, self.free_usage = destination, free
            self.cost_micros = self.billed_usage = usage - free

    def rate(self, usage: Usage, position: int = 0, paid_from: int = 0):
        if usage.destination.startswith("999"):
            raise RatingError("no rate", code="unauthorised_destination")
        return self.Rated("GB" if usage.destination.startswith("44") else "DE", usage.amount, 0)

    def rate_with_allowances(self, usage: Usage, allowances: list[Allowance], position: int = 0):
        rated = self.rate(usage)
        left, taken = usage.amount, []
        for allowance in allowances:
            if allowance.included and rated.destination not in allowance.included:
                continue
            if rated.destination in allowance.excluded:
                continue
            units = left if allowance.remaining == UNLIMITED else min(left, allowance.remaining)
            taken.append((allowance.key, units))
            left -= units
        return self.Rated(rated.destination, usage.amount, usage.amount - left), tuple(taken)


def grant(origin: str, units: int, included: str = "", excluded: str = "") -> Grant:
    return Grant(origin, units, frozenset(included.split()), frozenset(excluded.split()))


def book(
    *grants: Grant,
    prepaid: bool = False,
    bundles: tuple[BundlePeriod, ...] = (),
    zone: str = "UTC",
    counters: dict[CounterKey, int] | None = None,
) -> UsageBook:
    plan = PlanPeriod(LONG_AGO, NO_END, 7, "*plan:P", {"voice": grants})
    line = Line(1, 2, prepaid, "default", ZoneInfo(zone), (plan,), bundles)
    return UsageBook(
        {"voice": ServiceInfo(5, "call", "voice"), "sms": ServiceInfo(6, "sms", "sms")},
        {MSISDN: (Holding(LONG_AGO, NO_END, line),)},
        counters if counters is not None else {},
    )


def charge(some: UsageBook, amount: int, *, start: datetime = NOON, to: str = "4930", service: str = "voice"):
    return some.charge(OneMicroAUnit(), MSISDN, service, to, start, amount)


def test_free_units_go_first_and_the_rest_is_paid():
    some = book(grant("plan:7", 100))
    first, second = charge(some, 70), charge(some, 70)
    assert (first.free_usage, first.cost_micros) == (70, 0)
    assert (second.free_usage, second.cost_micros) == (30, 40)
    assert some.counters[CounterKey(1, 2026, 5, 5, "plan:7")] == 100


def test_what_an_earlier_batch_used_is_gone():
    some = book(grant("plan:7", 100), counters={CounterKey(1, 2026, 5, 5, "plan:7"): 95})
    assert charge(some, 70).free_usage == 5


def test_a_new_month_of_the_tenants_zone_brings_new_free_units():
    some = book(grant("plan:7", 100), zone="Europe/Berlin")
    charge(some, 100, start=datetime(2026, 5, 31, 21, 59, tzinfo=UTC))
    assert charge(some, 50, start=datetime(2026, 5, 31, 22, 0, tzinfo=UTC)).free_usage == 50


def test_unlimited_grants_spare_the_others_and_count_what_they_gave():
    some = book(*in_order_of_use([grant("plan:7", 100), grant("plan:8", UNLIMITED)]))
    assert charge(some, 70).free_usage == 70
    assert some.counters == {CounterKey(1, 2026, 5, 5, "plan:8"): 70}


def test_a_grant_for_few_destinations_goes_before_one_for_all():
    some = book(*in_order_of_use([grant("plan:7", 100), grant("plan:8", 100, included="GB")]))
    charge(some, 120, to="4420")
    assert some.counters[CounterKey(1, 2026, 5, 5, "plan:8")] == 100
    assert some.counters[CounterKey(1, 2026, 5, 5, "plan:7")] == 20


def test_an_excluded_destination_is_paid_for():
    assert charge(book(grant("plan:7", 100, excluded="GB")), 70, to="4420").cost_micros == 70


def test_a_bundle_adds_to_the_plan_while_it_is_valid():
    bundle = BundlePeriod(NOON, NOON + timedelta(days=1), {"voice": (grant("bundle:3", 50),)})
    some = book(grant("plan:7", 100), bundles=(bundle,))
    assert charge(some, 200, start=NOON - timedelta(seconds=1)).free_usage == 100
    assert charge(some, 200).free_usage == 50


def test_only_prepaid_accounts_are_debited_one_entry_a_local_day():
    some = book(prepaid=True, zone="Europe/Berlin")
    charge(some, 10, start=datetime(2026, 5, 20, 21, 0, tzinfo=UTC))
    charge(some, 20, start=datetime(2026, 5, 20, 21, 30, tzinfo=UTC))
    charge(some, 40, start=datetime(2026, 5, 20, 22, 0, tzinfo=UTC))
    assert {str(day): debit.amount_micros for (_, day), debit in some.debits.items()} == {
        "2026-05-20": 30,
        "2026-05-21": 40,
    }
    postpaid = book()
    charge(postpaid, 10)
    assert postpaid.debits == {}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"start": LONG_AGO - timedelta(days=1)}, "unknown_subscriber"),
        ({"service": "fax"}, "unknown_service"),
        ({"to": "999"}, "unauthorised_destination"),
    ],
)
def test_a_refused_record_says_why_and_leaves_the_book_as_it_was(changes, code):
    some = book(grant("plan:7", 100), prepaid=True)
    with pytest.raises((UsageRefused, RatingError)) as refused:
        charge(some, 70, **changes)
    assert refused.value.code == code
    assert (some.counters, some.debits, some.changed) == ({}, {}, set())


def test_a_line_without_a_plan_at_that_time_is_refused():
    some = book()
    holding = some.holdings[MSISDN][0]
    ended = holding.line.plans[0]._replace(end=NOON)
    line = Line(1, 2, False, "default", ZoneInfo("UTC"), (ended,))
    gone = UsageBook(some.services, {MSISDN: (holding._replace(line=line),)}, {})
    assert charge(gone, 1, start=NOON - timedelta(seconds=1)).price_plan_id == 7
    with pytest.raises(UsageRefused) as refused:
        charge(gone, 1)
    assert refused.value.code == "no_price_plan"


def test_a_number_that_changed_hands_charges_its_holder_of_that_time():
    some = book()
    first = some.holdings[MSISDN][0]
    second = Line(9, 8, False, "default", ZoneInfo("UTC"), first.line.plans)
    shared = UsageBook(some.services, {MSISDN: (first._replace(end=NOON), Holding(NOON, NO_END, second))}, {})
    assert charge(shared, 1, start=NOON - timedelta(seconds=1)).subscriber_id == 1
    assert charge(shared, 1).subscriber_id == 9
