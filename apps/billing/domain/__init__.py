"""Billing as pure functions: periods, proration, discounts, taxes, and the statement that puts them together."""

from apps.billing.domain.currencies import minor_unit_micros
from apps.billing.domain.periods import Window, cycle_period, last_closed_period, window_of
from apps.billing.domain.proration import prorated
from apps.billing.domain.statement import BillValue, Charge, Terms, statement
from apps.billing.domain.values import DiscountTerms, Fee, OneOff, PrepaidFunds, Taxes, TaxRate, UsageTotal

__all__ = [
    "BillValue",
    "Charge",
    "DiscountTerms",
    "Fee",
    "OneOff",
    "PrepaidFunds",
    "TaxRate",
    "Taxes",
    "Terms",
    "UsageTotal",
    "Window",
    "cycle_period",
    "last_closed_period",
    "minor_unit_micros",
    "prorated",
    "statement",
    "window_of",
]
