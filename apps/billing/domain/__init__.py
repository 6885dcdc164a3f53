"""Billing as pure functions: periods, proration, discounts, taxes, and the statement that puts them together."""

from apps.billing.domain.draft import BillLine, Draft, Terms
from apps.billing.domain.periods import Window, cycle_period, last_closed_period, window_of
from apps.billing.domain.proration import prorated
from apps.billing.domain.statement import BillValue, statement
from apps.billing.domain.values import (
    Credit,
    DiscountTerms,
    Fee,
    OneOff,
    OnlineCharge,
    PrepaidFunds,
    Taxes,
    TaxRate,
    TaxTreatment,
    UsageTotal,
)

__all__ = [
    "BillLine",
    "BillValue",
    "Credit",
    "DiscountTerms",
    "Draft",
    "Fee",
    "OneOff",
    "OnlineCharge",
    "PrepaidFunds",
    "TaxRate",
    "TaxTreatment",
    "Taxes",
    "Terms",
    "UsageTotal",
    "Window",
    "cycle_period",
    "last_closed_period",
    "prorated",
    "statement",
    "window_of",
]
