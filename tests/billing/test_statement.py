"""Statements: lines that add up, fees by the day, discounts, taxes, and rounding to what can be paid."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.billing.domain import (
    BillValue,
    Credit,
    DiscountTerms,
    Fee,
    OneOff,
    OnlineCharge,
    PrepaidFunds,
    Taxes,
    TaxRate,
    Terms,
    UsageTotal,
    cycle_period,
    prorated,
    statement,
    window_of,
)
from apps.billing.domain.periods import DaySpan, closed_periods_after
from apps.billing.domain.taxes import TaxTerm, taxes_on
from apps.billing.domain.values import PRICE_CONTAINS_TAXES, treatment
from apps.kernel.currencies import minor_unit_micros, payable_micros
from apps.kernel.periods import Month

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
EURO = 1_000_000
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
VAT = Taxes(treatment((TaxRate("VAT", 190_000),)))
UNTAXED = Taxes()
CURRENCIES = st.sampled_from(["EUR", "JPY", "KWD", "CLF"])

amounts = st.integers(-(10**9), 10**10)
zones = st.sampled_from([ZoneInfo("UTC"), BERLIN, NEW_YORK, ZoneInfo("Pacific/Chatham")])
cycles = st.tuples(st.integers(2024, 2028), st.integers(1, 12), st.integers(1, 28))


def january(zone: ZoneInfo = BERLIN):
    period = cycle_period(Month(2026, 1), 1, zone)
    return window_of(period.start, period.end, 1, zone, billed_before=True)


def bill_for(
    usage=(), fees=(), one_offs=(), discounts=(), taxes=UNTAXED, *, window=None, currency="EUR", **more
) -> BillValue:
    unit = minor_unit_micros(currency)
    return statement(
        Terms(
            window or january(),
            unit,
            taxes,
            tuple(usage),
            tuple(fees),
            tuple(one_offs),
            discounts=tuple(discounts),
            **more,
        )
    )


def of_kind(bill: BillValue, kind: str):
    return [line for line in bill.lines if line.kind == kind]


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


@given(amounts, zones, cycles, st.lists(st.integers(0, 31 * 24 * 60), min_size=1, max_size=6), CURRENCIES)
def test_plan_changes_at_any_minute_cost_the_fee_of_a_month_together(monthly, zone, cycle, minutes, currency):
    year, number, day = cycle
    period = cycle_period(Month(year, number), day, zone)
    window = window_of(period.start, period.end, day, zone, billed_before=True)
    cuts = sorted(min(period.start + timedelta(minutes=minute), period.end) for minute in minutes)
    starts, ends = [LONG_AGO, *cuts], [*cuts, None]
    bill = bill_for(
        fees=[fee(monthly, *life) for life in zip(starts, ends, strict=True)],
        window=window,
        currency=currency,
    )
    assert bill.recurring_micros == payable_micros(monthly, currency)


@given(amounts, zones, st.integers(0, 30 * 24 * 60), CURRENCIES)
def test_bills_of_two_parts_of_a_period_charge_the_fee_once(monthly, zone, minute, currency):
    period = cycle_period(Month(2026, 3), 1, zone)
    opened = period.start + timedelta(minutes=minute)
    whole = window_of(period.start, period.end, 1, zone, billed_before=True)
    rest = window_of(opened, period.end, 1, zone, billed_before=False)
    before = bill_for(fees=[fee(monthly, LONG_AGO, opened)], window=whole, currency=currency)
    after = bill_for(fees=[fee(monthly, opened)], window=rest, currency=currency)
    assert before.recurring_micros + after.recurring_micros == payable_micros(monthly, currency)


def test_days_of_a_clock_change_are_days_like_any_other():
    period = cycle_period(Month(2026, 3), 1, BERLIN)
    window = window_of(period.start, period.end, 1, BERLIN, billed_before=True)
    change = datetime(2026, 3, 29, 10, tzinfo=UTC)
    bill = bill_for(fees=[fee(31 * EURO, LONG_AGO, change), fee(62 * EURO, change)], window=window)
    assert [line.amount_micros for line in bill.lines] == [28 * EURO, 6 * EURO]


def test_a_change_within_a_day_is_charged_to_what_begins_on_it():
    change = datetime(2026, 1, 10, 15, tzinfo=BERLIN)
    bill = bill_for(fees=[fee(31 * EURO, LONG_AGO, change), fee(31 * EURO, change)])
    assert [line.amount_micros for line in bill.lines] == [9 * EURO, 22 * EURO]


def test_months_that_were_left_out_are_charged_month_by_month():
    start, end = datetime(2026, 1, 15, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
    window = window_of(start, end, 1, ZoneInfo("UTC"), billed_before=True)
    bill = bill_for(fees=[fee(31 * EURO)], window=window)
    assert [line.amount_micros for line in bill.lines] == [17 * EURO, 31 * EURO, 31 * EURO]
    assert [(line.unit, line.quantity) for line in bill.lines] == [("DAY", 17), ("MON", 1), ("MON", 1)]


def test_a_move_between_cycles_of_other_time_zones_charges_each_day_once():
    end_in_berlin = cycle_period(Month(2026, 1), 1, BERLIN).end
    for zone in (NEW_YORK, ZoneInfo("Asia/Tokyo")):
        until = cycle_period(Month(2026, 1), 15, zone).end
        window = window_of(end_in_berlin, until, 15, zone, billed_before=True)
        assert window.days == DaySpan(date(2026, 2, 1), date(2026, 2, 15))


@st.composite
def whole_bills(draw) -> tuple[BillValue, Taxes, str]:
    """A postpaid bill of anything, the taxes that hold, and its currency."""
    rates = st.integers(0, 300_000)
    general = draw(st.lists(rates, max_size=2))
    special = draw(st.dictionaries(st.integers(1, 3), rates))
    taxes = Taxes(
        treatment(tuple(TaxRate(f"Tax {index}", rate) for index, rate in enumerate(general))),
        {service: treatment((TaxRate("Own", rate),)) for service, rate in special.items()},
    )
    discounts = draw(
        st.lists(
            st.tuples(st.integers(0, 1_000_000), st.booleans(), st.booleans(), st.none() | st.integers(1, 3))
        )
    )
    currency = draw(CURRENCIES)
    bill = bill_for(
        [
            used(cost, service, index)
            for index, (cost, service) in enumerate(
                draw(st.lists(st.tuples(amounts, st.integers(1, 3)), max_size=6))
            )
        ],
        [fee(amount) for amount in draw(st.lists(amounts, max_size=3))],
        [OneOff(1, "Charge", amount) for amount in draw(st.lists(amounts, max_size=3))],
        [discount(rate, of_usage=u, of_fees=f, service=s) for rate, u, f, s in discounts],
        taxes,
        currency=currency,
        online=[
            OnlineCharge(service, "Shop", amount)
            for service, amount in draw(
                st.lists(st.tuples(st.none() | st.integers(1, 3), amounts), max_size=4)
            )
        ],
        credits=[
            Credit(pk, amount) for pk, amount in enumerate(draw(st.lists(st.integers(1, 10**9), max_size=3)))
        ],
    )
    return bill, taxes, currency


@given(whole_bills())
def test_a_bill_adds_up_as_it_is_printed_in_every_currency(made):
    bill, _, currency = made
    unit = minor_unit_micros(currency)
    assert all(line.amount_micros % unit == 0 for line in bill.lines)
    assert sum(line.amount_micros for line in bill.lines) == bill.total_micros
    sums = (
        bill.recurring_micros,
        bill.usage_micros,
        bill.one_off_micros,
        bill.discount_micros,
        bill.tax_micros,
    )
    assert sum(sums) == bill.total_micros
    assert bill.rounding_micros == sum(line.amount_micros - line.exact_micros for line in bill.lines)
    for line in bill.lines:
        # Parts of a month, and of a sum that contains its tax, are differences of two rounded sums.
        most = unit if line.kind in ("recurring", "online", "tax") else unit / 2
        assert abs(line.amount_micros - line.exact_micros) <= most


@given(whole_bills())
def test_each_tax_is_its_rate_of_the_sum_of_the_lines_that_bear_it(made):
    bill, _, currency = made
    for line in of_kind(bill, "tax"):
        if line.origin == "online":
            continue
        (rate,) = line.tax.rates
        bearing = [
            other.amount_micros
            for other in bill.lines
            if other.kind in ("recurring", "usage", "one_off", "discount") and rate in other.tax.rates
        ]
        assert line.base_micros == sum(bearing)
        exact = line.base_micros * rate.rate_millionths
        assert abs(line.amount_micros * 10**6 - exact) * 2 <= minor_unit_micros(currency) * 10**6 + 10**6


@given(whole_bills())
def test_online_charges_cost_the_agreed_price_and_show_their_taxes(made):
    bill, taxes, _ = made
    online = of_kind(bill, "online")
    contained = [line for line in of_kind(bill, "tax") if line.origin == "online"]
    agreed = sum(line.base_micros for line in online)
    assert sum(line.amount_micros for line in (*online, *contained)) == agreed == bill.taken_over_micros
    for line in online:
        assert line.tax == (taxes.of(line.service_id) if line.service_id else treatment(()))


@given(whole_bills())
def test_credits_pay_no_more_than_the_bill_comes_to(made):
    bill, _, _ = made
    used_up = sum(credit.open_micros for credit in bill.credits)
    assert 0 <= used_up <= max(0, bill.total_micros)
    assert bill.due_micros == bill.total_micros - used_up


def test_a_line_is_rounded_once_from_its_exact_sum_and_keeps_it():
    bill = bill_for([used(1_194_000), used(1_196_276, destination=2)], taxes=VAT)
    lines = [(line.amount_micros, line.exact_micros, line.base_micros) for line in bill.lines]
    assert lines == [
        (1_190_000, 1_194_000, None),
        (1_200_000, 1_196_276, None),
        (450_000, 454_100, 2_390_000),
    ]
    assert (bill.total_micros, bill.rounding_micros) == (2_840_000, -4_376)


@given(st.lists(st.integers(0, 1_000_000), max_size=8), st.integers(0, 10**10), st.integers(0, 10**10))
def test_discounts_never_give_back_more_than_everything(rates, fees, usage):
    bill = bill_for([used(usage)], [fee(fees)], discounts=[discount(rate) for rate in rates])
    assert -(bill.recurring_micros + bill.usage_micros) <= bill.discount_micros <= 0


def test_a_discount_is_given_on_what_it_is_for():
    usage = [used(10 * EURO, service=1), used(20 * EURO, service=2)]
    everything = bill_for(usage, [fee(30 * EURO)], discounts=[discount(100_000)])
    assert everything.discount_micros == -6 * EURO
    one_service = bill_for(usage, [fee(30 * EURO)], discounts=[discount(500_000, of_fees=False, service=2)])
    assert one_service.discount_micros == -10 * EURO
    fees_only = bill_for(usage, [fee(30 * EURO)], discounts=[discount(500_000, of_usage=False)])
    assert fees_only.discount_micros == -15 * EURO


def test_a_discount_on_items_of_several_tax_rates_is_a_line_for_each_rate():
    taxes = Taxes(treatment((TaxRate("VAT", 190_000),)), {2: treatment((TaxRate("Reduced", 70_000),))})
    bill = bill_for(
        [used(10 * EURO, 1), used(20 * EURO, 2)], [fee(30 * EURO)], discounts=[discount(100_000)], taxes=taxes
    )
    found = [
        (line.tax.rate_millionths, line.base_micros, line.amount_micros) for line in of_kind(bill, "discount")
    ]
    assert found == [(190_000, 40 * EURO, -4 * EURO), (70_000, 20 * EURO, -2 * EURO)]
    bases = {line.description: line.base_micros for line in of_kind(bill, "tax")}
    assert bases == {"VAT": 36 * EURO, "Reduced": 18 * EURO}


def test_a_discount_for_a_part_of_the_period_gives_that_part():
    from_the_16th = discount(100_000, start=datetime(2026, 1, 16, tzinfo=BERLIN))
    bill = bill_for([used(31 * EURO)], discounts=[from_the_16th])
    assert bill.discount_micros == -1_600_000


def test_tax_is_due_on_what_the_discounts_have_left():
    bill = bill_for([used(100 * EURO)], discounts=[discount(500_000)], taxes=VAT)
    (tax,) = of_kind(bill, "tax")
    assert (tax.base_micros, tax.amount_micros, bill.total_micros) == (50 * EURO, 9_500_000, 59_500_000)


def test_a_service_without_a_tax_of_its_own_bears_the_general_one():
    taxes = Taxes(treatment((TaxRate("VAT", 190_000),)), {2: treatment((TaxRate("Reduced", 70_000),))})
    bill = bill_for([used(100 * EURO, 1), used(100 * EURO, 2)], [fee(100 * EURO)], taxes=taxes)
    assert [(line.description, line.base_micros) for line in of_kind(bill, "tax")] == [
        ("VAT", 200 * EURO),
        ("Reduced", 100 * EURO),
    ]


def test_of_two_rates_of_a_tax_the_later_begun_holds_on_the_last_day():
    rules = [
        TaxTerm(None, "VAT", 190_000, date(2007, 1, 1), None),
        TaxTerm(None, "VAT", 160_000, date(2026, 1, 15), date(2026, 2, 1)),
        TaxTerm(3, "VAT", 70_000, date(2026, 2, 1), None),
    ]
    assert taxes_on(date(2026, 1, 14), rules).general.rates == (TaxRate("VAT", 190_000),)
    assert taxes_on(january().last_day, rules).general.rates == (TaxRate("VAT", 160_000),)
    later = taxes_on(date(2026, 2, 28), rules)
    assert (later.of(None).rates, later.of(3).rates) == (
        (TaxRate("VAT", 190_000),),
        (TaxRate("VAT", 70_000),),
    )


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
def test_a_line_has_the_decimals_of_its_currency(currency, exact, payable):
    assert payable_micros(exact, currency) == payable
    bill = bill_for([used(exact)], currency=currency)
    assert (bill.total_micros, bill.rounding_micros) == (payable, payable - exact)


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(-(10**9), 10**10), CURRENCIES)
def test_a_prepaid_statement_takes_no_more_than_the_balance_bears_and_carries_the_rest_over(
    fees, once, balance, currency
):
    bill = bill_for(
        [used(5 * EURO)],
        [fee(fees)],
        [OneOff(1, "Charge", once)],
        taxes=Taxes(PRICE_CONTAINS_TAXES),
        currency=currency,
        prepaid=PrepaidFunds(balance),
    )
    unit = minor_unit_micros(currency)
    due = payable_micros(fees, currency) + payable_micros(once, currency)
    taken = bill.total_micros - bill.usage_micros
    assert taken + bill.carried_over_micros == due
    assert taken == min(due, max(0, balance) // unit * unit)
    assert sum(line.amount_micros for line in bill.lines) == bill.total_micros
    assert bill.tax_micros == 0


def test_a_prepaid_account_that_may_overdraw_pays_everything():
    bill = bill_for(
        fees=[fee(5 * EURO)],
        taxes=Taxes(PRICE_CONTAINS_TAXES),
        prepaid=PrepaidFunds(0, may_overdraw=True),
    )
    assert (bill.total_micros, bill.carried_over_micros) == (5 * EURO, 0)


def test_periods_since_the_last_run_come_oldest_first():
    now = datetime(2026, 4, 20, tzinfo=UTC)
    last = cycle_period(Month(2026, 1), 15, BERLIN).end
    found = list(closed_periods_after(last, now, 15, BERLIN))
    assert found == [cycle_period(Month(2026, 2), 15, BERLIN), cycle_period(Month(2026, 3), 15, BERLIN)]
    assert not list(closed_periods_after(now, now, 15, BERLIN))
