"""Statements: lines that add up, fees by the day, discounts, taxes, and rounding to what can be paid."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.billing.domain import (
    DiscountTerms,
    Fee,
    OneOff,
    PrepaidFunds,
    Taxes,
    TaxRate,
    Terms,
    UsageTotal,
    cycle_period,
    minor_unit_micros,
    prorated,
    statement,
    window_of,
)
from apps.billing.domain.currencies import payable_micros
from apps.billing.domain.periods import DaySpan, closed_periods_after
from apps.billing.domain.taxes import TaxTerm, taxes_on
from apps.kernel.periods import Month

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
EURO = 1_000_000
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
VAT = Terms("EUR", Taxes((TaxRate("VAT", 190_000),)))
UNTAXED = Terms("EUR", Taxes())

amounts = st.integers(-(10**9), 10**10)
zones = st.sampled_from([ZoneInfo("UTC"), BERLIN, NEW_YORK, ZoneInfo("Pacific/Chatham")])
cycles = st.tuples(st.integers(2024, 2028), st.integers(1, 12), st.integers(1, 28))


def january(zone: ZoneInfo = BERLIN):
    period = cycle_period(Month(2026, 1), 1, zone)
    return window_of(period.start, period.end, 1, zone, billed_before=True)


def fee(micros: int = 31 * EURO, start: datetime = LONG_AGO, end: datetime | None = None) -> Fee:
    return Fee(1, "Plan", micros, start, end)


def used(cost: int, service: int = 1, destination: int = 1) -> UsageTotal:
    return UsageTotal(1, 1, service, destination, 1, 60, 0, cost)


def discount(
    rate: int, *, of_usage=True, of_fees=True, service=None, start=LONG_AGO, end=None
) -> DiscountTerms:
    return DiscountTerms("Off", of_usage, of_fees, service, rate, start, end)


@given(amounts, cycles, st.data())
def test_the_parts_of_any_cut_of_a_month_add_up_to_the_whole(monthly, cycle, data):
    year, number, day = cycle
    first, after = date(year, number, day), date(year + number // 12, number % 12 + 1, day)
    month = DaySpan(first, after)
    cuts = sorted(data.draw(st.lists(st.integers(0, month.days), max_size=5)))
    days = [first, *(first + timedelta(days=cut) for cut in cuts), after]
    parts = [prorated(monthly, month, *part) for part in pairwise(days)]
    assert sum(parts) == monthly


@given(amounts, zones, cycles, st.lists(st.integers(0, 31 * 24 * 60), min_size=1, max_size=6))
def test_plan_changes_at_any_minute_cost_the_fee_of_a_month_together(monthly, zone, cycle, minutes):
    year, number, day = cycle
    period = cycle_period(Month(year, number), day, zone)
    window = window_of(period.start, period.end, day, zone, billed_before=True)
    cuts = sorted(min(period.start + timedelta(minutes=minute), period.end) for minute in minutes)
    starts, ends = [LONG_AGO, *cuts], [*cuts, None]
    bill = statement(
        window, (), [fee(monthly, *life) for life in zip(starts, ends, strict=True)], (), (), UNTAXED
    )
    assert bill.recurring_micros == monthly


@given(amounts, zones, st.integers(0, 30 * 24 * 60))
def test_bills_of_two_parts_of_a_period_charge_the_fee_once(monthly, zone, minute):
    period = cycle_period(Month(2026, 3), 1, zone)
    opened = period.start + timedelta(minutes=minute)
    whole = window_of(period.start, period.end, 1, zone, billed_before=True)
    rest = window_of(opened, period.end, 1, zone, billed_before=False)
    before = statement(whole, (), [fee(monthly, LONG_AGO, opened)], (), (), UNTAXED)
    after = statement(rest, (), [fee(monthly, opened)], (), (), UNTAXED)
    assert before.recurring_micros + after.recurring_micros == monthly


def test_days_of_a_clock_change_are_days_like_any_other():
    period = cycle_period(Month(2026, 3), 1, BERLIN)
    window = window_of(period.start, period.end, 1, BERLIN, billed_before=True)
    change = datetime(2026, 3, 29, 10, tzinfo=UTC)
    bill = statement(window, (), [fee(31 * EURO, LONG_AGO, change), fee(62 * EURO, change)], (), (), UNTAXED)
    assert [line.amount_micros for line in bill.fees] == [28 * EURO, 6 * EURO]


def test_a_change_within_a_day_is_charged_to_what_begins_on_it():
    change = datetime(2026, 1, 10, 15, tzinfo=BERLIN)
    bill = statement(
        january(), (), [fee(31 * EURO, LONG_AGO, change), fee(31 * EURO, change)], (), (), UNTAXED
    )
    assert [line.amount_micros for line in bill.fees] == [9 * EURO, 22 * EURO]


def test_months_that_were_left_out_are_charged_month_by_month():
    start, end = datetime(2026, 1, 15, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
    window = window_of(start, end, 1, ZoneInfo("UTC"), billed_before=True)
    bill = statement(window, (), [fee(31 * EURO)], (), (), UNTAXED)
    assert [line.amount_micros for line in bill.fees] == [17 * EURO, 31 * EURO, 31 * EURO]


def test_a_move_between_cycles_of_other_time_zones_charges_each_day_once():
    end_in_berlin = cycle_period(Month(2026, 1), 1, BERLIN).end
    for zone in (NEW_YORK, ZoneInfo("Asia/Tokyo")):
        until = cycle_period(Month(2026, 1), 15, zone).end
        window = window_of(end_in_berlin, until, 15, zone, billed_before=True)
        assert window.days == DaySpan(date(2026, 2, 1), date(2026, 2, 15))


@given(
    st.lists(st.tuples(amounts, st.integers(1, 3)), max_size=6),
    st.lists(amounts, max_size=3),
    st.lists(amounts, max_size=3),
    st.lists(
        st.tuples(st.integers(0, 1_000_000), st.booleans(), st.booleans(), st.none() | st.integers(1, 3))
    ),
    st.integers(0, 300_000),
    st.dictionaries(st.integers(1, 3), st.integers(0, 300_000)),
    st.sampled_from(["EUR", "JPY", "KWD", "CLF"]),
)
def test_the_lines_of_any_bill_add_up_to_its_total(
    usage, fees, one_offs, discounts, general, special, currency
):
    taxes = Taxes(
        (TaxRate("VAT", general),), {service: (TaxRate("Own", rate),) for service, rate in special.items()}
    )
    bill = statement(
        january(),
        [used(cost, service, index) for index, (cost, service) in enumerate(usage)],
        [fee(amount) for amount in fees],
        [OneOff(1, "Charge", amount) for amount in one_offs],
        [discount(rate, of_usage=u, of_fees=f, service=s) for rate, u, f, s in discounts],
        Terms(currency, taxes),
    )
    assert sum(bill.amounts()) == bill.total_micros
    assert bill.total_micros == sum(bill[3:9])
    assert bill.total_micros % minor_unit_micros(currency) == 0
    assert abs(bill.rounding_micros) * 2 <= minor_unit_micros(currency)


@given(st.lists(st.integers(0, 1_000_000), max_size=8), st.integers(0, 10**10), st.integers(0, 10**10))
def test_discounts_never_give_back_more_than_everything(rates, fees, usage):
    bill = statement(january(), [used(usage)], [fee(fees)], (), [discount(rate) for rate in rates], UNTAXED)
    assert -(fees + usage) <= bill.discount_micros <= 0


def test_a_discount_is_given_on_what_it_is_for():
    usage = [used(10 * EURO, service=1), used(20 * EURO, service=2)]
    everything = statement(january(), usage, [fee(30 * EURO)], (), [discount(100_000)], UNTAXED)
    assert everything.discount_micros == -6 * EURO
    one_service = statement(
        january(), usage, [fee(30 * EURO)], (), [discount(500_000, of_fees=False, service=2)], UNTAXED
    )
    assert one_service.discount_micros == -10 * EURO
    fees_only = statement(
        january(), usage, [fee(30 * EURO)], (), [discount(500_000, of_usage=False)], UNTAXED
    )
    assert fees_only.discount_micros == -15 * EURO


def test_a_discount_for_a_part_of_the_period_gives_that_part():
    from_the_16th = discount(100_000, start=datetime(2026, 1, 16, tzinfo=BERLIN))
    bill = statement(january(), [used(31 * EURO)], (), (), [from_the_16th], UNTAXED)
    assert bill.discount_micros == -1_600_000


def test_tax_is_due_on_what_the_discounts_have_left():
    bill = statement(january(), [used(100 * EURO)], (), (), [discount(500_000)], VAT)
    (tax,) = [line for line in bill.rest if line.kind == "tax"]
    assert (tax.base_micros, tax.amount_micros, bill.total_micros) == (50 * EURO, 9_500_000, 59_500_000)


def test_a_service_without_a_tax_of_its_own_bears_the_general_one():
    taxes = Taxes((TaxRate("VAT", 190_000),), {2: (TaxRate("Reduced", 70_000),)})
    bill = statement(
        january(), [used(100 * EURO, 1), used(100 * EURO, 2)], [fee(100 * EURO)], (), (), Terms("EUR", taxes)
    )
    assert [(line.description, line.base_micros) for line in bill.rest] == [
        ("VAT", 200 * EURO),
        ("Reduced", 100 * EURO),
    ]


def test_of_two_rates_of_a_tax_the_later_begun_holds_on_the_last_day():
    rules = [
        TaxTerm(None, "VAT", 190_000, date(2007, 1, 1), None),
        TaxTerm(None, "VAT", 160_000, date(2026, 1, 15), date(2026, 2, 1)),
        TaxTerm(3, "VAT", 70_000, date(2026, 2, 1), None),
    ]
    assert taxes_on(date(2026, 1, 14), rules).general == (TaxRate("VAT", 190_000),)
    assert taxes_on(january().last_day, rules).general == (TaxRate("VAT", 160_000),)
    later = taxes_on(date(2026, 2, 28), rules)
    assert (later.of(None), later.of(3)) == ((TaxRate("VAT", 190_000),), (TaxRate("VAT", 70_000),))


@pytest.mark.parametrize(
    ("currency", "exact", "payable"),
    [
        ("EUR", 1_234_567, 1_230_000),
        ("EUR", 1_235_000, 1_240_000),
        ("EUR", -1_235_000, -1_240_000),
        ("JPY", 1_500_000, 2_000_000),
        ("KWD", 1_234_567, 1_235_000),
    ],
)
def test_the_total_is_rounded_to_what_can_be_paid(currency, exact, payable):
    assert payable_micros(exact, currency) == payable
    bill = statement(january(), [used(exact)], (), (), (), Terms(currency, Taxes()))
    assert (bill.total_micros, bill.rounding_micros) == (payable, payable - exact)


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(-(10**9), 10**10))
def test_a_prepaid_statement_takes_no_more_than_the_balance_bears_and_carries_the_rest_over(
    fees, once, balance
):
    bill = statement(
        january(), [used(5)], [fee(fees)], [OneOff(1, "Charge", once)], (), VAT, PrepaidFunds(balance)
    )
    taken = bill.total_micros - bill.usage_micros
    assert taken + bill.carried_over_micros == fees + once
    assert taken == min(fees + once, max(0, balance))
    assert sum(bill.amounts()) == bill.total_micros
    assert bill.tax_micros == bill.rounding_micros == 0


def test_a_prepaid_account_that_may_overdraw_pays_everything():
    bill = statement(january(), (), [fee(5 * EURO)], (), (), VAT, PrepaidFunds(0, may_overdraw=True))
    assert (bill.total_micros, bill.carried_over_micros) == (5 * EURO, 0)


def test_periods_since_the_last_run_come_oldest_first():
    now = datetime(2026, 4, 20, tzinfo=UTC)
    last = cycle_period(Month(2026, 1), 15, BERLIN).end
    found = list(closed_periods_after(last, now, 15, BERLIN))
    assert found == [cycle_period(Month(2026, 2), 15, BERLIN), cycle_period(Month(2026, 3), 15, BERLIN)]
    assert not list(closed_periods_after(now, now, 15, BERLIN))
